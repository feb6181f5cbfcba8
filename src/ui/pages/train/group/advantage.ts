/** @file The parts of an advantage, as the trainer computes it, and the order and scale in which a group is shown. */
import type { ScaleRewards } from '../../../../rl/config';
import type { Completion, Group } from '../../../../runs/events';

export interface AdvantageParts {
  reward: number;
  mean: number;
  /** The standard deviation that the difference is divided by: the group's, the batch's, or null for none. */
  std: number | null;
  /** reward − mean. */
  difference: number;
  /** As recorded by the trainer. */
  advantage: number;
  /** Whether every completion of the group earned the same, so that there is nothing to learn. */
  zeroVariance: boolean;
}

/** @param batchStd the metric `reward_std`, which is the divisor when rewards are scaled by batch */
export function advantageParts(
  completion: Completion,
  group: Group,
  scale: ScaleRewards,
  batchStd: number,
): AdvantageParts {
  return {
    reward: completion.reward,
    mean: group.mean,
    std: scale === 'group' ? group.std : scale === 'batch' ? batchStd : null,
    difference: completion.reward - group.mean,
    advantage: completion.advantage,
    zeroVariance: isZeroVariance(group),
  };
}

/** Differences that are only rounding don't count. A group whose deviation is NaN teaches nothing either. */
export function isZeroVariance(group: Group): boolean {
  return !(group.std > 1e-7);
}

export interface RankedCompletion {
  completion: Completion;
  /** Index into the group. */
  index: number;
}

/** Completions of a group from the highest advantage to the lowest. */
export function byAdvantage(group: Group): RankedCompletion[] {
  return group.completions
    .map((completion, index) => ({ completion, index }))
    .sort((a, b) => b.completion.advantage - a.completion.advantage || a.index - b.index);
}

/** The |advantage| of a full bar: at least 1 and a multiple of ½, so that bars of neighbouring steps can be compared. */
export function advantageScale(group: Group): number {
  const largest = Math.max(1, ...group.completions.map((completion) => Math.abs(completion.advantage)));
  return Math.ceil(largest * 2) / 2;
}

/** The first and the last items of a list, `count` in total. */
export function endsOf<T>(items: readonly T[], count: number): T[] {
  const half = Math.floor(count / 2);
  return [...items.slice(0, half), ...items.slice(half - count)];
}
