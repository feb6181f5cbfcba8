/**
 * @file The one stream that everything a person sees is a function of. Local trainer, headless runner, GPU server and
 * recordings all emit these; as JSON lines they are a run's export format.
 */
import type { GrpoConfig, LiveConfig } from '../rl/config';

export const SCHEMA_VERSION = 1;

export interface RunConfig extends GrpoConfig {
  /** A name under `models/`, or `run:<id>@<step>` for a checkpoint of a saved run. */
  model: string;
  task: string;
  difficulty: number;
  /** Evaluate on held-out problems every so many steps; 0 = never. */
  eval_steps: number;
  /** Held-out problems per evaluation. */
  eval_problems: number;
  /** Checkpoint every so many steps; 0 = only at the end. */
  save_steps: number;
  /** Re-score each sampled token after the update, so that its change in log-probability can be shown. */
  log_probability_change: boolean;
}

export interface Completion {
  text: string;
  token_ids: number[];
  /** The text of each token, so that a viewer needs no tokenizer. */
  tokens: string[];
  /** Log-probability of each token under the policy that sampled it, at the sampling temperature. */
  logprobs: number[];
  /** The same tokens after the step's update; absent unless `log_probability_change`. */
  logprobs_after?: number[];
  /** Unweighted value of each reward function; null where the function gave none. */
  rewards: Record<string, number | null>;
  /** Weighted sum. */
  reward: number;
  advantage: number;
  truncated: boolean;
  /** How it thinks: one of the answer styles of src/rl/completion.ts. */
  style: string;
}

export interface Group {
  prompt: string;
  answer: string;
  /** Mean and Bessel-corrected standard deviation of the group's rewards. */
  mean: number;
  std: number;
  completions: Completion[];
}

export interface StartedEvent {
  type: 'started';
  schema: typeof SCHEMA_VERSION;
  run_id: string;
  /** ISO 8601. */
  time: string;
  config: RunConfig;
  model: { name: string; parameters: number; architecture: string };
  device: { kind: 'webgpu' | 'trl' | 'recording'; description: string };
  seed: number;
}
export interface StepEvent {
  type: 'step';
  /** 1 for the first update. */
  step: number;
  /** TRL's names. */
  metrics: Record<string, number>;
  groups: Group[];
  /** Milliseconds by phase: rollout, scoring, update, total, … */
  timings: Record<string, number>;
}
export interface EvalEvent {
  type: 'eval';
  /** 0 = before the first update. */
  step: number;
  /** `eval_` names: eval_accuracy, eval_reward, eval_mean_length, eval_truncated, eval_style/<style>, … */
  metrics: Record<string, number>;
  /** A few held-out completions, for reading. */
  samples?: { prompt: string; answer: string; text: string; correct: boolean }[];
}
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
  reference: string;
}
/** The run goes on with other live settings from the next step, or was interrupted and goes on. */
export interface ChangedEvent {
  type: 'changed';
  step: number;
  change: LiveConfig;
}
export interface InterruptedEvent {
  type: 'interrupted';
  step: number;
  reason: string;
  /** The step whose checkpoint the run goes on from. */
  resumes_from: number;
}
export interface FinishedEvent {
  type: 'finished';
  step: number;
  reason: 'max_steps' | 'stopped';
}
export interface FailedEvent {
  type: 'failed';
  step: number;
  reason: string;
}
export type RunEvent =
  | StartedEvent
  | StepEvent
  | EvalEvent
  | CheckpointEvent
  | ChangedEvent
  | InterruptedEvent
  | FinishedEvent
  | FailedEvent;
