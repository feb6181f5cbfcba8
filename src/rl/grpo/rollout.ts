/** @file One step's samples on their way to the update: first as they were drawn, then rewarded and compared. */
import type { Problem, Task } from '../../tasks/task';
import { computeAdvantages, type Advantages } from './advantages';
import type { Sample } from '../completion-sampler';
import type { RunConfig } from '../config';
import type { Group } from '../group';
import { batchMetrics } from './metrics';
import { scoreCompletion, type CompletionScore } from '../rewards';
import type { TokenTexts } from '../token-texts';

/** A step's completions, flat in group order: `num_generations` of each problem. */
export interface SampledBatch {
  problems: Problem[];
  prompts: number[][];
  samples: Sample[];
  texts: string[];
}

/** The same completions with their rewards and advantages. */
export interface Rollout extends SampledBatch {
  scores: CompletionScore[];
  advantages: Advantages;
}

/** Rewards each completion and compares it with its group. */
export function rewardBatch(batch: SampledBatch, task: Task, config: RunConfig): Rollout {
  const { num_generations: size, max_completion_length } = config;
  const scores = batch.samples.map(({ ids, truncated }, i) => {
    const problem = batch.problems[Math.floor(i / size)]!;
    const completion = { task, problem, text: batch.texts[i]!, length: ids.length, truncated };
    return scoreCompletion({ ...completion, max_completion_length }, config);
  });
  const rewards = scores.map(({ reward }) => reward);
  return { ...batch, scores, advantages: computeAdvantages(rewards, size, config.scale_rewards) };
}

/** TRL's metrics of a batch, before its update. @param previousTokens `num_tokens` before this step */
export function rolloutMetrics(
  { samples, scores, prompts, advantages }: Rollout,
  config: RunConfig,
  previousTokens: number,
): Record<string, number> {
  const promptTokens = config.num_generations * prompts.reduce((sum, prompt) => sum + prompt.length, 0);
  const completions = samples.map(({ ids, truncated }, i) => {
    const { rewards, reward } = scores[i]!;
    return { length: ids.length, truncated, rewards, reward };
  });
  return batchMetrics({ completions, advantages, promptTokens, previousTokens });
}

/**
 * The groups of a batch as they are shown, stored and exported.
 * @param after each sequence's log-probabilities after the update; null where they were not computed
 */
export function describeGroups(
  rollout: Rollout,
  size: number,
  texts: TokenTexts,
  after: readonly Float32Array[] | null,
): Group[] {
  return rollout.problems.map((problem, g) => ({
    prompt: problem.prompt,
    answer: problem.answer,
    mean: rollout.advantages.groups[g]!.mean,
    std: rollout.advantages.groups[g]!.std,
    completions: Array.from({ length: size }, (_, j) => {
      const i = g * size + j;
      const { ids, logprobs, truncated } = rollout.samples[i]!;
      const { rewards, reward, parsed } = rollout.scores[i]!;
      return {
        text: rollout.texts[i]!,
        token_ids: ids,
        tokens: texts.each(ids),
        logprobs: logprobs.map(rounded),
        ...(after && { logprobs_after: Array.from(after[i]!, rounded) }),
        rewards,
        reward: reward ?? 0,
        advantage: rollout.advantages.advantages[i]!,
        truncated,
        style: parsed.style,
      };
    }),
  }));
}

/** Enough digits to show any change, at a fifth of the size of a recording with all of them. */
const rounded = (x: number): number => Math.round(x * 1e5) / 1e5;
