/** @file Learning-rate schedules: a run's, exactly as Transformers' `get_scheduler` gives them, and pretraining's. */
import type { GrpoConfig } from './config';

export type ScheduleConfig = Pick<GrpoConfig, 'learning_rate' | 'warmup_steps' | 'lr_scheduler_type' | 'max_steps'>;

/**
 * The learning rate of an update.
 *
 * As in Transformers, warm-up multiplies by update / warmup_steps with the update counted from 0: the first update of a
 * run with warm-up has learning rate 0 and only fills AdamW's moments. `constant` is Transformers'
 * `constant_with_warmup`, which without warm-up is its `constant`; `linear` and `cosine` reach 0 at max_steps.
 *
 * @param update 0 for the first, in the same count as warmup_steps and max_steps.
 */
export function learningRate(config: ScheduleConfig, update: number): number {
  return config.learning_rate * factor(config, update);
}

function factor({ warmup_steps, max_steps, lr_scheduler_type }: ScheduleConfig, update: number): number {
  if (update < warmup_steps) return update / Math.max(1, warmup_steps);
  const decaySteps = Math.max(1, max_steps - warmup_steps);
  switch (lr_scheduler_type) {
    case 'constant':
      return 1;
    case 'linear':
      return Math.max(0, (max_steps - update) / decaySteps);
    case 'cosine':
      return Math.max(0, (1 + Math.cos((Math.PI * (update - warmup_steps)) / decaySteps)) / 2);
  }
}

export interface PretrainSchedule {
  /** Peak. */
  learning_rate: number;
  warmup_steps: number;
  steps: number;
  /** The share of the peak that is left at the end. */
  final_share: number;
}

/** Pretraining's learning rate: a linear decay over all steps to the final share, times a linear warm-up from 0. */
export function pretrainLearningRate(schedule: PretrainSchedule, step: number): number {
  const warmup = Math.min(1, step / Math.max(1, schedule.warmup_steps));
  const left = Math.max(0, 1 - step / schedule.steps);
  return schedule.learning_rate * warmup * (schedule.final_share + (1 - schedule.final_share) * left);
}
