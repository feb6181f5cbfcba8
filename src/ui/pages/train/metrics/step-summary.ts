/** @file Statistics of a step's completions for the charts: lengths by outcome, distribution of lengths, shares of styles. */
import type { Completion, Group } from '../../../../runs/events';

export type Outcome = 'correct' | 'incorrect' | 'truncated';

/** Rows of the length heat map. */
export const LENGTH_BINS = 28;

export interface StepSummary {
  completions: number;
  /** Share of the completions whose accuracy reward is above one half. */
  accuracy: number;
  /** Mean length in tokens by outcome; null if no completion had that outcome. */
  lengths: Record<Outcome, number | null>;
  /** Share of the completions in each of `LENGTH_BINS` equal bins of 0 … max_completion_length. */
  histogram: readonly number[];
  /** Share of the completions by answer style. */
  styles: Readonly<Record<string, number>>;
}

export function isCorrect(completion: Completion): boolean {
  return (completion.rewards['accuracy'] ?? 0) > 0.5;
}

/** A truncated completion counts as truncated whatever it earned, because its length is not its own. */
export function outcomeOf(completion: Completion): Outcome {
  if (completion.truncated) return 'truncated';
  return isCorrect(completion) ? 'correct' : 'incorrect';
}

/** @param maxLength max_completion_length of the run, in tokens */
export function summarize(groups: readonly Group[], maxLength: number): StepSummary {
  const histogram = new Array<number>(LENGTH_BINS).fill(0);
  const styles: Record<string, number> = {};
  const sums = { correct: 0, incorrect: 0, truncated: 0 };
  const counts = { correct: 0, incorrect: 0, truncated: 0 };
  let total = 0;
  let correct = 0;
  for (const group of groups) {
    for (const completion of group.completions) {
      const length = completion.tokens.length;
      const outcome = outcomeOf(completion);
      total += 1;
      if (isCorrect(completion)) correct += 1;
      sums[outcome] += length;
      counts[outcome] += 1;
      histogram[lengthBin(length, maxLength)]! += 1;
      styles[completion.style] = (styles[completion.style] ?? 0) + 1;
    }
  }
  const share = (count: number): number => (total === 0 ? 0 : count / total);
  const mean = (outcome: Outcome): number | null => (counts[outcome] ? sums[outcome] / counts[outcome] : null);
  return {
    completions: total,
    accuracy: share(correct),
    lengths: { correct: mean('correct'), incorrect: mean('incorrect'), truncated: mean('truncated') },
    histogram: histogram.map(share),
    styles: Object.fromEntries(Object.entries(styles).map(([style, count]) => [style, share(count)])),
  };
}

/** The bin of a length. A completion of exactly `maxLength` tokens is in the last one. */
export function lengthBin(length: number, maxLength: number): number {
  const bin = Math.floor((length / Math.max(1, maxLength)) * LENGTH_BINS);
  return Math.min(LENGTH_BINS - 1, Math.max(0, bin));
}
