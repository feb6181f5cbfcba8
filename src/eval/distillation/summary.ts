/** @file A distillation in numbers. */
import type { Answer } from '../evaluation';
import type { FilteredAnswer, Refusal } from './filter';

/** What became of a teacher's answers. */
export interface DistillationSummary {
  asked: number;
  kept: number;
  /** Share of the answers that are kept. */
  share: number;
  /** Problems with at least one kept answer. */
  problems: number;
  /** Tokens of a kept answer's thoughts, or of all of it where thoughts aren't counted apart; null when nothing is kept. */
  mean_reasoning: number | null;
  /** Tokens of all answers; of their questions as far as they were counted. */
  tokens: number;
  prompt_tokens: number;
  refused: Partial<Record<Refusal, number>>;
}

export function summariseDistillation(
  filtered: readonly FilteredAnswer[],
  answers: readonly Answer[],
): DistillationSummary {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const kept = answers.filter((_, i) => filtered[i]!.refusal === null);
  const refused: DistillationSummary['refused'] = {};
  for (const { refusal } of filtered) if (refusal) refused[refusal] = (refused[refusal] ?? 0) + 1;
  const lengths = kept.map(({ thought_tokens, tokens }) => thought_tokens || tokens);
  return {
    asked: filtered.length,
    kept: kept.length,
    share: filtered.length > 0 ? kept.length / filtered.length : 0,
    problems: new Set(filtered.filter(({ refusal }) => refusal === null).map(({ problem }) => problem)).size,
    mean_reasoning: kept.length > 0 ? sum(lengths) / kept.length : null,
    tokens: sum(answers.map(({ tokens }) => tokens)),
    prompt_tokens: sum(answers.map(({ prompt_tokens }) => prompt_tokens ?? 0)),
    refused,
  };
}
