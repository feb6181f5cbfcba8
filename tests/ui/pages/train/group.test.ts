/** @file The group view's parts: summaries, the arithmetic of an advantage, the parts and tints of a completion. */
import { describe, expect, it } from 'vitest';
import type { Completion, Group } from '../../../../src/runs/events';
import {
  advantageParts,
  advantageScale,
  byAdvantage,
  endsOf,
  isZeroVariance,
} from '../../../../src/ui/pages/train/group/advantage';
import { segments, tint, tokenLabel, tokenViews } from '../../../../src/ui/pages/train/group/completion-parts';
import { LENGTH_BINS, lengthBin, outcomeOf, summarize } from '../../../../src/ui/pages/train/metrics/step-summary';

function completion(change: Partial<Completion> = {}): Completion {
  const tokens = change.tokens ?? ['1', '2', '<eos>'];
  return {
    text: tokens.join(''),
    token_ids: tokens.map((_, i) => i),
    logprobs: tokens.map(() => -0.5),
    rewards: { accuracy: 1, format: 1 },
    reward: 1,
    advantage: 0,
    truncated: false,
    style: 'direct',
    ...change,
    tokens,
  };
}
const groupOf = (completions: Completion[], mean: number, std: number): Group => ({
  prompt: '1+1=',
  answer: '2',
  mean,
  std,
  completions,
});

describe('summarize', () => {
  const tokens = (n: number) => Array.from({ length: n }, () => '1');
  const summary = summarize(
    [
      groupOf([completion({ tokens: tokens(10) }), completion({ tokens: tokens(20), style: 'full' })], 1, 0),
      groupOf(
        [
          completion({ tokens: tokens(6), rewards: { accuracy: 0 } }),
          completion({ tokens: tokens(112), rewards: { accuracy: null }, truncated: true, style: 'full' }),
        ],
        0,
        0,
      ),
    ],
    112,
  );
  it('splits lengths by outcome', () => {
    expect(summary.lengths).toEqual({ correct: 15, incorrect: 6, truncated: 112 });
    expect(summary.accuracy).toBe(0.5);
  });
  it('bins lengths and counts styles as shares', () => {
    expect(summary.styles).toEqual({ direct: 0.5, full: 0.5 });
    expect(summary.histogram).toHaveLength(LENGTH_BINS);
    expect(summary.histogram.reduce((total, share) => total + share, 0)).toBeCloseTo(1);
    expect(summary.histogram[LENGTH_BINS - 1]).toBe(0.25);
  });
  it('gives null for an outcome that did not occur, and zeros for no completions', () => {
    expect(summarize([groupOf([completion()], 1, 0)], 112).lengths).toMatchObject({ incorrect: null, truncated: null });
    expect(summarize([], 112)).toMatchObject({ completions: 0, accuracy: 0, styles: {} });
  });
  it('counts a truncated completion as truncated even if it earned its reward', () => {
    expect(outcomeOf(completion({ truncated: true }))).toBe('truncated');
  });
  it('keeps every length inside the bins', () => {
    expect(lengthBin(0, 112)).toBe(0);
    expect(lengthBin(4, 112)).toBe(1);
    expect(lengthBin(111, 112)).toBe(LENGTH_BINS - 1);
    expect(lengthBin(500, 112)).toBe(LENGTH_BINS - 1);
  });
});

describe('the arithmetic of an advantage', () => {
  // Rewards 1, 0, 0, 0: mean 0.25, Bessel-corrected std 0.5.
  const rewards = [0, 1, 0, 0];
  const completions = rewards.map((reward) => completion({ reward, advantage: (reward - 0.25) / 0.5001 }));
  const group = groupOf(completions, 0.25, 0.5);

  it('agrees with the recorded advantage when rewards are scaled by group', () => {
    const parts = advantageParts(completions[1]!, group, 'group', 9);
    expect(parts).toMatchObject({ reward: 1, mean: 0.25, std: 0.5, difference: 0.75, zeroVariance: false });
    expect(parts.difference / (parts.std! + 1e-4)).toBeCloseTo(1.4997, 4);
    expect(parts.advantage).toBeCloseTo(1.4997, 4);
  });
  it("divides by the batch's deviation, or by nothing", () => {
    expect(advantageParts(completions[0]!, group, 'batch', 0.7).std).toBe(0.7);
    expect(advantageParts(completions[0]!, group, 'none', 0.7).std).toBeNull();
  });
  it('sorts from best to worst and keeps ties in sampling order', () => {
    expect(byAdvantage(group).map((each) => each.index)).toEqual([1, 0, 2, 3]);
  });
  it('shows the two ends of a very large group', () => {
    expect(endsOf([1, 2, 3, 4, 5, 6, 7], 4)).toEqual([1, 2, 6, 7]);
  });
  it('draws bars on a round scale of at least 1', () => {
    expect(advantageScale(group)).toBe(1.5);
    expect(advantageScale(groupOf([completion({ advantage: 0.2 })], 1, 0))).toBe(1);
  });
  it('takes rounding for zero variance, and nothing larger', () => {
    expect(isZeroVariance(groupOf([], 1, 1e-9))).toBe(true);
    expect(isZeroVariance(groupOf([], 1, 1e-3))).toBe(false);
    expect(isZeroVariance(groupOf([], NaN, NaN))).toBe(true);
  });
});

describe('the parts of a completion', () => {
  const parts = (tokens: string[]) =>
    segments(tokenViews(completion({ tokens }))).map((each) => [
      each.part,
      each.tokens.map((t) => t.view.text).join(''),
    ]);

  it('tells the think block from the answer', () => {
    expect(parts(['<think>', '4', '=', '</think>', '<answer>', '4', '</answer>', '<eos>'])).toEqual([
      ['tag', '<think>'],
      ['think', '4='],
      ['tag', '</think>'],
      ['tag', '<answer>'],
      ['answer', '4'],
      ['tag', '</answer>'],
      ['tag', '<eos>'],
    ]);
  });
  it('takes a bare answer for plain text, and an open think block to the end', () => {
    expect(parts(['4', '2'])).toEqual([['plain', '42']]);
    expect(parts(['<think>', '4', '2']).at(-1)).toEqual(['think', '42']);
  });
  it('does not take spelt-out tags for tags', () => {
    expect(parts(['<', 'think', '>', '1'])).toEqual([['plain', '<think>1']]);
  });
  it('pairs log-probabilities before and after', () => {
    const views = tokenViews(completion({ tokens: ['1', '2'], logprobs: [-1, -2], logprobs_after: [-0.5, -3] }));
    expect(views.map((view) => [view.before, view.after])).toEqual([
      [-1, -0.5],
      [-2, -3],
    ]);
    expect(tokenViews(completion({ tokens: ['1'] }))[0]?.after).toBeNull();
  });
  it('tints by the sign of the change, fully at 0.5, not at all without one', () => {
    expect(tint(-1, -0.5)).toBe(1);
    expect(tint(-1, -3)).toBe(-1);
    expect(tint(-1, -0.875)).toBeCloseTo(0.5);
    expect(tint(-1, null)).toBe(0);
    expect(tint(-1, NaN)).toBe(0);
  });
  it('writes tags by name and white space visibly', () => {
    expect(tokenLabel('</think>')).toBe('/think');
    expect(tokenLabel(' \n')).toBe('\u00a0⏎');
  });
});
