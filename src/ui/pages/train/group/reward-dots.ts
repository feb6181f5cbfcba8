/** @file Places a group's rewards on a number line: equal rewards stack up, tall stacks spread sideways. */

export interface RewardDot {
  /** Index into the group. */
  index: number;
  /** Column relative to the reward's own place, in dots; 0 is in the middle. */
  column: number;
  /** Height in the stack, from 0. */
  row: number;
  reward: number;
}

/** @param tallest rows of a stack before it spreads into another column. */
export function rewardDots(rewards: readonly number[], tallest: number): RewardDot[] {
  const stacks = new Map<string, number[]>();
  rewards.forEach((reward, index) => {
    const key = reward.toFixed(3);
    stacks.set(key, [...(stacks.get(key) ?? []), index]);
  });
  return [...stacks.values()].flatMap((stack) => {
    const columns = Math.ceil(stack.length / tallest);
    return stack.map((index, place) => ({
      index,
      column: (place % columns) - (columns - 1) / 2,
      row: Math.floor(place / columns),
      reward: rewards[index]!,
    }));
  });
}

/** The number line's ends: 0 is always on it, and there is room for at least one unit. */
export function rewardDomain(rewards: readonly number[]): [number, number] {
  return [Math.min(0, ...rewards), Math.max(1, ...rewards)];
}
