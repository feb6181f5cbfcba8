/**
 * @file The registry of reward functions, and their weighted sum. As in TRL, a function may give no value (null); it is
 * then left out of the sum, and a completion that no function scored has no reward at all.
 */
import { parseChatCompletion, parseCompletion, type ParsedCompletion } from '../../tasks/answer';
import { accuracy } from './accuracy';
import { format } from './format';
import { length } from './length';
import type { Reward, SampledCompletion } from './reward';

/** In the order in which forms list them. */
export const rewards: readonly Reward[] = [accuracy, format, length];

/** The reward functions of a run and their weights, as parallel lists: TRL's names. */
export interface RewardConfig {
  reward_funcs: readonly string[];
  reward_weights: readonly number[];
}

export const defaultRewards: RewardConfig = {
  reward_funcs: rewards.map(({ name }) => name),
  reward_weights: rewards.map(({ defaultWeight }) => defaultWeight),
};

/** The weight of each reward function by its name. */
export const weightsByName = ({ reward_funcs, reward_weights }: RewardConfig): Record<string, number> =>
  Object.fromEntries(reward_funcs.map((name, i) => [name, reward_weights[i] ?? 0]));

export interface CompletionScore {
  parsed: ParsedCompletion;
  /** Whether the answer was found and is right, whatever the run rewards. */
  correct: boolean;
  /** Unweighted value of each function of the run; null where it gave none. */
  rewards: Record<string, number | null>;
  /** Weighted sum over the functions that gave a value; null if none did. */
  reward: number | null;
}

/**
 * Runs the run's reward functions, those of weight 0 included, so that a run always reports them.
 * @throws RangeError for a function that doesn't exist
 */
export function scoreCompletion(
  completion: SampledCompletion,
  config: RewardConfig,
  functions: readonly Pick<Reward, 'name' | 'score'>[] = rewards,
): CompletionScore {
  const { text, task, problem } = completion;
  const chat = task.instruction !== undefined;
  const parsed = chat ? parseChatCompletion(text) : parseCompletion(text, problem.steps.length);
  if (completion.truncated) Object.assign(parsed, { formatted: false, style: 'unformatted' });
  // A chat model's answer is read wherever it is marked; the small models have to keep the format.
  const correct = (parsed.formatted || chat) && parsed.answer !== null && task.verify(problem, parsed.answer);
  const context = { ...completion, parsed, correct };
  const values: Record<string, number | null> = {};
  for (const name of config.reward_funcs) {
    const reward = functions.find((each) => each.name === name);
    if (!reward) throw new RangeError(`There is no reward function '${name}'.`);
    const value = reward.score(context);
    values[name] = value === null || Number.isNaN(value) ? null : value;
  }
  return { parsed, correct, rewards: values, reward: weightedSum(values, config) };
}

/** Σ weight · value over the values there are; null without any. */
export function weightedSum(values: Readonly<Record<string, number | null>>, config: RewardConfig): number | null {
  let total: number | null = null;
  for (const [name, weight] of Object.entries(weightsByName(config))) {
    const value = values[name] ?? null;
    if (value !== null) total = (total ?? 0) + weight * value;
  }
  return total;
}
