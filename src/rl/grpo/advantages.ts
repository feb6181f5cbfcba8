/** @file Group-relative advantages, as TRL 1.13.0's `_generate_and_score_completions` computes them. */
import type { ScaleRewards } from '../config';
import { mean, standardDeviation } from '../../base/statistics';

/** Keeps the division finite in a group of equal rewards. */
export const ADVANTAGE_EPSILON = 1e-4;
/** A standard deviation below this counts as zero (the default tolerance of `torch.isclose`). */
const ZERO_TOLERANCE = 1e-8;

export interface Advantages {
  /** One per completion, in the order of the rewards. */
  advantages: number[];
  /** One per group, whatever the scale; NaN for a group without (mean) or with fewer than two (std) rewards. */
  groups: { mean: number; std: number }[];
  /** Share of completions whose divisor is zero: by group, or all or none of them when scaled by the batch. */
  frac_reward_zero_std: number;
}

/**
 * A = (r − mean of the group) / (std + 1e-4), std being the group's, the batch's, or absent (`none`: no division).
 * @param rewards group by group, `groupSize` each; null for a completion that no function scored: it is left out of
 *   mean and std and gets advantage 0. So does the only scored completion of a group.
 * @throws RangeError if the rewards don't fill groups of at least two.
 */
export function computeAdvantages(
  rewards: readonly (number | null)[],
  groupSize: number,
  scale: ScaleRewards,
): Advantages {
  if (!Number.isInteger(groupSize) || groupSize < 2 || rewards.length % groupSize !== 0) {
    throw new RangeError(`${rewards.length} rewards do not make groups of ${groupSize}; a group has at least 2.`);
  }
  const batchStd = standardDeviation(rewards);
  const advantages: number[] = [];
  const groups: Advantages['groups'] = [];
  let zeroStd = 0;
  for (let start = 0; start < rewards.length; start += groupSize) {
    const group = rewards.slice(start, start + groupSize);
    const baseline = mean(group);
    const std = standardDeviation(group);
    const scaleStd = scale === 'batch' ? batchStd : std;
    const divisor = scale === 'none' ? 1 : scaleStd + ADVANTAGE_EPSILON;
    for (const reward of group) {
      const advantage = reward === null ? 0 : (reward - baseline) / divisor;
      advantages.push(Number.isNaN(advantage) ? 0 : advantage);
    }
    groups.push({ mean: baseline, std });
    if (scaleStd <= ZERO_TOLERANCE) zeroStd += groupSize;
  }
  return { advantages, groups, frac_reward_zero_std: zeroStd / rewards.length };
}
