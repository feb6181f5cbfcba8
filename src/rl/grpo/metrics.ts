/** @file The metrics of a batch of completions under TRL's names, so that local and remote runs draw on the same charts. */
import type { Advantages } from './advantages';
import { mean, standardDeviation } from '../../base/statistics';

export interface MeasuredCompletion {
  /** Number of sampled tokens, the end-of-sequence token included. */
  length: number;
  /** Ended by the length limit: its last token is not the end of the sequence. */
  truncated: boolean;
  /** Unweighted value of each reward function; null where it gave none. */
  rewards: Readonly<Record<string, number | null>>;
  /** Weighted sum; null if no function scored it. */
  reward: number | null;
}

export interface MeasuredBatch {
  completions: readonly MeasuredCompletion[];
  advantages: Pick<Advantages, 'frac_reward_zero_std'>;
  /** Prompt tokens, counted once for every completion (a group of G counts its prompt G times), as TRL does. */
  promptTokens: number;
  /** `num_tokens` after the batch before; 0 at the start of a run. */
  previousTokens: number;
}

/**
 * Everything that can be said before the update: num_tokens, completions/*, rewards/<function>/*, reward, reward_std
 * (over the whole batch), frac_reward_zero_std. The loss and what is measured with it come from the update
 * (src/rl/grpo/losses.ts). A metric without a value, such as the std of one reward, is left out.
 */
export function batchMetrics(batch: MeasuredBatch): Record<string, number> {
  const { completions } = batch;
  const lengths = completions.map((completion) => completion.length);
  const terminated = completions.filter((completion) => !completion.truncated).map((completion) => completion.length);
  const rewards = completions.map((completion) => completion.reward);
  const metrics: Record<string, number> = {
    num_tokens: batch.previousTokens + batch.promptTokens + lengths.reduce((sum, length) => sum + length, 0),
    ...spread('length', lengths),
    ...spread('terminated_length', terminated.length > 0 ? terminated : [0]),
    'completions/clipped_ratio': 1 - terminated.length / completions.length,
    reward: mean(rewards),
    reward_std: standardDeviation(rewards),
    frac_reward_zero_std: batch.advantages.frac_reward_zero_std,
  };
  for (const name of Object.keys(completions[0]?.rewards ?? {})) {
    const values = completions.map((completion) => completion.rewards[name] ?? null);
    metrics[`rewards/${name}/mean`] = mean(values);
    metrics[`rewards/${name}/std`] = standardDeviation(values);
  }
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => !Number.isNaN(value)));
}

function spread(name: string, values: readonly number[]): Record<string, number> {
  return {
    [`completions/mean_${name}`]: mean(values),
    [`completions/min_${name}`]: Math.min(...values),
    [`completions/max_${name}`]: Math.max(...values),
  };
}
