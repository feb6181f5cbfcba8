/**
 * @file The reward functions of a run and their weighted sum. As in TRL, a function may give no value (null); it is
 * then left out of the sum, and a completion that no function scored has no reward at all.
 */
import type { Problem, Task } from '../../tasks/task';
import { parseChatCompletion, parseCompletion, type ParsedCompletion } from '../../tasks/answer';
import type { RewardWeights } from '../config';

export interface SampledCompletion {
  task: Task;
  problem: Problem;
  /** Decoded, special tokens written out, without `<eos>`. */
  text: string;
  /** Number of sampled tokens, `<eos>` included. */
  length: number;
  /** Ended by the length limit rather than by `<eos>`. */
  truncated: boolean;
  max_completion_length: number;
}

export interface RewardContext extends SampledCompletion {
  /** A truncated completion is never `formatted`. */
  parsed: ParsedCompletion;
}

export type RewardName = keyof RewardWeights;
export type RewardFunction = (context: RewardContext) => number | null;

/** 1 for a well-formed completion with a correct answer, else 0; in a chat, any answer that can be found is read. */
function accuracy({ task, problem, parsed }: RewardContext): number {
  const isRead = parsed.formatted || (task.instruction !== undefined && parsed.answer !== null);
  return isRead && task.verify(problem, parsed.answer!) ? 1 : 0;
}

/** 1 for `<think>…</think><answer>…</answer>` and nothing else, ended by the model itself, else 0. */
function format({ parsed }: RewardContext): number {
  return parsed.formatted ? 1 : 0;
}

/**
 * Length-aware, in [−1, 1]: the cosine reward of Yeo et al., arXiv 2502.03373. With t = length / max_completion_length,
 * a correct completion slides from 1 (t = 0) to 0 (t = 1), a wrong one from −1 to 0, and a truncated one gets −1:
 * be brief when you know, think longer when you don't, and never run out of room. A negative weight turns it round.
 */
function length(context: RewardContext): number {
  if (context.truncated) return -1;
  const t = Math.min(1, context.length / context.max_completion_length);
  const remaining = (1 + Math.cos(Math.PI * t)) / 2;
  return accuracy(context) ? remaining : -remaining;
}

export const rewardFunctions: Readonly<Record<RewardName, RewardFunction>> = { accuracy, format, length };

export interface CompletionScore {
  parsed: ParsedCompletion;
  /** Unweighted value of each function; null where it gave none. */
  rewards: Record<RewardName, number | null>;
  /** Weighted sum over the functions that gave a value; null if none did. */
  reward: number | null;
}

/** Runs every reward function, those of weight 0 included, so that a run always reports them. */
export function scoreCompletion(
  completion: SampledCompletion,
  weights: RewardWeights,
  functions: Readonly<Record<RewardName, RewardFunction>> = rewardFunctions,
): CompletionScore {
  const { text, task, problem } = completion;
  const parsed =
    task.instruction === undefined ? parseCompletion(text, problem.steps.length) : parseChatCompletion(text);
  if (completion.truncated) Object.assign(parsed, { formatted: false, style: 'unformatted' });
  const context = { ...completion, parsed };
  const rewards = {
    accuracy: present(functions.accuracy(context)),
    format: present(functions.format(context)),
    length: present(functions.length(context)),
  };
  return { parsed, rewards, reward: weightedSum(rewards, weights) };
}

/** Σ weight · value over the values there are; null without any. */
export function weightedSum(rewards: Record<RewardName, number | null>, weights: RewardWeights): number | null {
  let total: number | null = null;
  for (const name of Object.keys(rewards) as RewardName[]) {
    const value = rewards[name];
    if (value !== null) total = (total ?? 0) + weights[name] * value;
  }
  return total;
}

function present(value: number | null): number | null {
  return value === null || Number.isNaN(value) ? null : value;
}
