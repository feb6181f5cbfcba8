/**
 * @file The one stream that everything a person sees is a function of. Local trainer, headless runner, GPU server and
 * recordings all emit these; as JSON lines they are a run's export format.
 */
import type { LiveConfig, RunConfig } from '../rl/config';
import type { Group } from '../rl/group';

export const SCHEMA_VERSION = 1;

export type { RunConfig } from '../rl/config';
export type { Completion, Group } from '../rl/group';

export interface StartedEvent {
  type: 'started';
  schema: typeof SCHEMA_VERSION;
  run_id: string;
  /** ISO 8601. */
  time: string;
  config: RunConfig;
  model: {
    name: string;
    parameters: number;
    architecture: string;
    /** False for a model that knows only the characters of the toy tasks. */
    reads_language: boolean;
  };
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
  /** Of step 0, there are two where a cold start comes first: this one is of the model as it was loaded. */
  phase?: 'before_cold_start';
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
