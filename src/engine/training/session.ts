/**
 * @file A training session: GRPO on a device, as the run loop (./local-trainer.ts) uses it. The loop itself (pausing,
 * checkpoints, recovery) knows no GPU.
 */
import type { Model } from '../../formats/model';
import type { PolicyLearner } from '../../model/train/batch-learner';
import type { CompletionSampler } from '../../rl/completion-sampler';
import type { LiveConfig, RunConfig } from '../../rl/config';
import type { LearnedParameters } from '../../rl/learned-parameters';
import type { RunPlan } from '../../rl/plan';
import type { EvaluationResult, StepResult } from '../../rl/step-result';
import type { ChatModel } from '../../runs/chat-model';
import type { LoadProgress } from '../load-options';
import type { PackedSampler, SamplerSizes, WhichWeights } from './packed-sampler';

export type { WhichWeights } from './packed-sampler';

export interface TrainingSession {
  /** One GRPO step: sample, reward, update. Steps count from 1; all randomness is keyed by (seed, step). */
  step(step: number, live: LiveConfig): Promise<StepResult>;
  /** Like `evaluate`, on the model as it was loaded. Must come before any other call. */
  evaluateBeforeSft(): Promise<EvaluationResult>;
  /** Evaluates on held-out problems, the same ones at every step of a run. */
  evaluate(step: number): Promise<EvaluationResult>;
  /** Everything that `restore` needs to continue bit for bit (src/rl/checkpoint.ts). */
  checkpoint(): Promise<Uint8Array>;
  restore(bytes: Uint8Array): Promise<void>;
  /**
   * The model to chat with between steps, as it was at the start of the run or as it is now. It shares this session's
   * memory. Null where the session has no sampler that can chat.
   */
  chatModel(weights: WhichWeights): ChatModel | null;
  /** Resolves with a reason if the GPU device is lost; calls in progress then reject or never settle. */
  readonly lost: Promise<string>;
  destroy(): void;
}

/** What a way of training is made for. */
export interface TrainingRequest {
  model: Model;
  config: RunConfig;
  plan: RunPlan;
  sizes: SamplerSizes;
  onLoading?: ((progress: LoadProgress) => void) | undefined;
}

/** What a way of training hands to GRPO. */
export interface TrainingParts {
  learner: PolicyLearner;
  sampler: CompletionSampler;
  parameters: LearnedParameters;
  /** A sampler that can also chat; null where there is none. */
  chat: PackedSampler | null;
}
