/** @file The arithmetic of an advantage, as the trainer does it, in parts that can be written out. */
import type { ScaleRewards } from '../../../../rl/config';
import type { Completion, Group } from '../../../../runs/events';

export interface AdvantageParts {
  reward: number;
  mean: number;
  /** The standard deviation that divides: the group's, the batch's, or null when nothing divides. */
  std: number | null;
  /** reward − mean. */
  difference: number;
  /** As recorded by the trainer. */
  advantage: number;
  /** Nothing to learn: every completion of the group earned the same. */
  zeroVariance: boolean;
}

/** @param batchStd the metric `reward_std`, which divides when rewards are scaled by batch. */
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

/** Rewards that differ by rounding only are equal; a group without a deviation (NaN) teaches nothing either. */
export function isZeroVariance(group: Group): boolean {
  return !(group.std > 1e-7);
}

/** Completions of a group from the highest advantage to the lowest, with their places in the group. */
export function byAdvantage(group: Group): { completion: Completion; index: number }[] {
  return group.completions
    .map((completion, index) => ({ completion, index }))
    .sort((a, b) => b.completion.advantage - a.completion.advantage || a.index - b.index);
}

/** The largest |advantage| on a round scale, so that bars of neighbouring steps can be compared: a multiple of ½, at least 1. */
export function advantageScale(group: Group): number {
  const largest = Math.max(1, ...group.completions.map((completion) => Math.abs(completion.advantage)));
  return Math.ceil(largest * 2) / 2;
}

/** The first and the last of a list, `count` in all. */
export function endsOf<T>(items: readonly T[], count: number): T[] {
  const half = Math.floor(count / 2);
  return [...items.slice(0, half), ...items.slice(half - count)];
}
