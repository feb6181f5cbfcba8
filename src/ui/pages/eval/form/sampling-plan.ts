/** @file How answers are sampled, and how fast servers are asked, in the forms of the Eval and Distil pages. */
import { t } from '../../../../i18n';
import { bounds } from '../../../../storage/evaluation-storage';
import type { NewEvaluation } from '../run/evaluation-state.svelte';

/** Numbers are null where their field is empty, and NaN where it holds anything else than a number. */
export interface SamplingPlan {
  seed: number | null;
  /** Null for what the model's makers recommend; so are the next two. */
  temperature: number | null;
  top_p: number | null;
  max_tokens: number | null;
  concurrency: number | null;
  /** Requests per minute; null for no limit. */
  per_minute: number | null;
}

export const defaultSampling: SamplingPlan = {
  seed: 0,
  temperature: null,
  top_p: null,
  max_tokens: null,
  concurrency: 4,
  per_minute: null,
};

export const MAX_SEED = 2 ** 31 - 1;

type WholeField = 'difficulty' | 'n' | 'k' | 'seed' | 'max_tokens' | 'concurrency' | 'per_minute';
type RealField = 'temperature' | 'top_p';

/** What is wrong with a whole number, as a list of at most one sentence. */
export function wholeProblem(field: WholeField, value: number | null, min: number, max: number): string[] {
  const valid = value !== null && Number.isInteger(value) && value >= min && value <= max;
  return valid ? [] : [t(`eval:invalid.${field}`, { min, max })];
}

/** What is wrong with a number that may be left empty, as a list of at most one sentence. */
function realProblem(field: RealField, value: number | null, min: number, max: number): string[] {
  return value === null || (value >= min && value <= max) ? [] : [t(`eval:invalid.${field}`, { min, max })];
}

/** Everything that is wrong with the plan, in sentences. */
export function samplingProblems(plan: SamplingPlan): string[] {
  const { temperature, top_p, max_tokens, seed, concurrency, per_minute } = plan;
  return [
    ...realProblem('temperature', temperature, 0, 5),
    ...realProblem('top_p', top_p, 0.01, 1),
    ...(max_tokens === null ? [] : wholeProblem('max_tokens', max_tokens, 1, bounds.max_tokens)),
    ...wholeProblem('seed', seed, 0, MAX_SEED),
    ...wholeProblem('concurrency', concurrency, 1, bounds.concurrency),
    ...(per_minute === null ? [] : wholeProblem('per_minute', per_minute, 1, bounds.per_minute)),
  ];
}

/** @param plan one without problems */
export function samplingOf(plan: SamplingPlan): Pick<NewEvaluation, 'seed' | 'sampling' | 'pace'> {
  const { temperature, top_p, max_tokens, seed, concurrency, per_minute } = plan;
  return {
    seed: seed!,
    sampling: {
      ...(temperature !== null && { temperature }),
      ...(top_p !== null && { top_p }),
      ...(max_tokens !== null && { max_tokens }),
    },
    pace: { concurrency: concurrency!, per_minute },
  };
}
