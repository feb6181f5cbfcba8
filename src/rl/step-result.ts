/** @file What a training step and an evaluation come to, as run events carry it. */
import type { Group } from './group';

export interface StepResult {
  /** Under TRL's names. */
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
