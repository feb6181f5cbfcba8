/**
 * @file What a run loop asks of the engine: GRPO steps on weights that live on a device. The loop itself (pausing,
 * checkpoints, recovery: src/engine/local-trainer.ts) knows no GPU.
 */
import type { ModelFolder } from '../formats/hf/model-folder';
import type { LiveConfig, RunConfig } from './config';
import type { Group } from './group';

export interface StepResult {
  /** TRL's names. */
  metrics: Record<string, number>;
  groups: Group[];
  /** Milliseconds by phase. */
  timings: Record<string, number>;
}

export interface EvaluationResult {
  /** `eval_` names. */
  metrics: Record<string, number>;
  samples: { prompt: string; answer: string; text: string; correct: boolean }[];
}

export interface EngineSession {
  /** One GRPO step: sample, reward, update. Step numbers start at 1; all randomness is keyed by (seed, step). */
  step(step: number, live: LiveConfig): Promise<StepResult>;
  /** As `evaluate`, of the model as it was loaded; only before anything else is asked of the session. */
  evaluateBeforeColdStart(): Promise<EvaluationResult>;
  /** Held-out problems, the same at every step of a run. */
  evaluate(step: number): Promise<EvaluationResult>;
  /**
   * Weights, Adam moments and counters as a safetensors file: all that `restore` needs to go on bit for bit. The
   * weights are under their Hugging Face names, so that a checkpoint can also be read as a model.
   */
  checkpoint(): Promise<Uint8Array>;
  restore(bytes: Uint8Array): Promise<void>;
  /** The current weights under their Hugging Face names. */
  exportTensors(): Promise<{ name: string; shape: number[]; data: Float32Array }[]>;
  /** Resolves with a reason if the GPU device is lost; calls under way then reject or never settle. */
  readonly lost: Promise<string>;
  destroy(): void;
}

/**
 * @param onNotice told what the user should know and what doesn't stop the run
 * @throws when the model doesn't fit the device, with the bytes that it needs, or the config's data set isn't here
 */
export type SessionFactory = (
  config: RunConfig,
  folder: ModelFolder,
  onNotice: (message: string) => void,
) => Promise<EngineSession>;
