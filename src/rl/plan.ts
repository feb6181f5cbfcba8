/** @file What a run needs of the GPU: the size of its micro-batches, and the bytes that it takes, known before any is taken. */
import { formatMegabytes } from '../base/bytes';
import { OutOfMemoryError } from '../gpu/gpu';
import type { LearnerPlan } from '../model/train/batch-learner';
import type { RunConfig } from './config';

/** Larger micro-batches gain little and cost memory: 43 kB a token for the embedded model. */
const MICRO_BATCH_TOKENS = 8192;
/** Micro-batches are planned in multiples of so many tokens. */
const STEP = 256;

export type RunSizes = Pick<RunConfig, 'num_prompts' | 'num_generations' | 'max_completion_length' | 'beta'>;

/** How many bytes a way of training takes. */
export interface MemoryNeeds {
  /** Bytes that don't depend on the micro-batch, by what they are for. */
  fixed: Readonly<Record<string, number>>;
  /** Bytes of the intermediate values of a micro-batch. */
  activations(plan: LearnerPlan): number;
}

export interface MemoryLimits {
  /** The most bytes that the whole run may take; a run that needs more is refused. */
  total: number;
  /** The most bytes that a micro-batch's intermediate values may take, as long as one sequence fits. */
  activations: number;
}

export interface RunPlan {
  learner: LearnerPlan;
  /** Bytes by what they are for, and their sum as `total`. */
  bytes: Record<string, number>;
}

/**
 * Chooses the largest micro-batch that fits, whole groups of tokens at a time, but at least one sequence with its prompt.
 * @param longestPrompt in tokens
 * @param context the most positions that the model has
 * @throws OutOfMemoryError with the number of bytes when the run can't fit
 */
export function planRun(
  config: RunSizes,
  needs: MemoryNeeds,
  limits: MemoryLimits,
  { longestPrompt, context }: { longestPrompt: number; context: number },
): RunPlan {
  const { num_prompts, num_generations, max_completion_length } = config;
  const sequences = num_prompts * num_generations;
  const batchRows = sequences * max_completion_length;
  const maxPositions = Math.min(context, longestPrompt + max_completion_length);
  const learner = (maxTokens: number): LearnerPlan => ({
    maxTokens,
    maxPositions,
    batchRows,
    batchSequences: sequences,
    reference: config.beta !== 0,
  });
  const fixed = { ...needs.fixed, 'token values': batchRows * 4 * 5 + sequences * 48 };
  const spent = Object.values(fixed).reduce((a, b) => a + b);
  const roundUp = (tokens: number) => Math.ceil(tokens / STEP) * STEP;
  const least = roundUp(maxPositions);
  const room = Math.min(limits.activations, limits.total - spent);
  let maxTokens = Math.max(least, Math.min(MICRO_BATCH_TOKENS, roundUp(batchRows + num_prompts * longestPrompt)));
  while (maxTokens > least && needs.activations(learner(maxTokens)) > room) maxTokens -= STEP;
  const activations = needs.activations(learner(maxTokens));
  const total = spent + activations;
  if (total > limits.total) {
    throw new OutOfMemoryError(
      `This run needs ${formatMegabytes(total)} of GPU memory, more than the ${formatMegabytes(limits.total)} it may take. ` +
        'Choose fewer prompts, a smaller group, shorter completions or a smaller model.',
    );
  }
  return { learner: learner(maxTokens), bytes: { ...fixed, activations, total } };
}
