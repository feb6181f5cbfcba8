import { describe, expect, it } from 'vitest';
import type { Mixture, MixtureTask } from '../../../src/rl/pretraining/corpus';
import { encodeSample, sample, styleShares, validateMixture } from '../../../src/rl/pretraining/corpus';
import { parseRecipe } from '../../../src/rl/pretraining/recipe';
import recipe from '../../../recipes/tinythink-1m.json';
import { getTask } from '../../../src/tasks';
import { rng } from '../../../src/base/rng';
import { BOS_ID, decode, EOS_ID } from '../../../src/tasks/vocabulary';

const { mixture: committed } = parseRecipe(recipe);
const one = (changes: Partial<MixtureTask>): Mixture => ({
  max_completion_length: 112,
  tasks: [{ task: 'sum', weight: 1, difficulty: { from: 3, to: 8 }, styles: { direct: 1 }, ...changes }],
});
/** Shares of a property over many samples. */
function sharesOf(mixture: Mixture, count: number, property: (item: ReturnType<typeof sample>) => string | number) {
  const shares: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const key = property(sample(rng(9, i), mixture));
    shares[key] = (shares[key] ?? 0) + 1 / count;
  }
  return shares;
}
function expectShares(actual: Record<string, number>, expected: Record<string, number>, tolerance: number) {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [key, share] of Object.entries(expected)) {
    expect(Math.abs(actual[key]! - share), key).toBeLessThan(tolerance);
  }
}

describe('sample', () => {
  it('is keyed by its generator', () => {
    expect(sample(rng(1, 2), committed)).toEqual(sample(rng(1, 2), committed));
    expect(sample(rng(1, 2), committed)).not.toEqual(sample(rng(1, 3), committed));
  });

  it('writes right answers that fit', () => {
    for (let i = 0; i < 3000; i++) {
      const { task, problem, completion } = sample(rng(4, i), committed);
      const answer = /<answer>(.*)<\/answer>$/.exec(completion)?.[1] ?? completion;
      expect(getTask(task).verify(problem, answer)).toBe(true);
    }
  });

  it('encodes prompt and completion between <bos> and <eos>, within 32 + 112 tokens', () => {
    for (let i = 0; i < 3000; i++) {
      const item = sample(rng(4, i), committed);
      const ids = encodeSample(item);
      expect([ids[0], ids.at(-1)]).toEqual([BOS_ID, EOS_ID]);
      expect(decode(ids)).toBe(`<bos>${item.prompt}${item.completion}<eos>`);
      expect(ids.length).toBeLessThanOrEqual(144);
    }
  });

  it('draws again what is too long', () => {
    const mixture = { ...one({ styles: { full: 1 }, difficulty: { from: 8, to: 8 } }), max_completion_length: 40 };
    const longest = Math.max(...Array.from({ length: 500 }, (_, i) => encodeSample(sample(rng(i), mixture)).length));
    // <bos>, at most 24 characters of prompt, 40 tokens of completion.
    expect(longest).toBeLessThanOrEqual(1 + 24 + 40);
    expect(longest).toBeGreaterThan(40);
  });

  it('follows the weights of tasks', () => {
    const expected = { sum: 0.5, mul: 0.2, countdown: 0.2, parity: 0.1 };
    expectShares(
      sharesOf(committed, 10_000, (item) => item.task),
      expected,
      0.025,
    );
  });

  it('follows the weights of styles', () => {
    const mixture = { ...committed, tasks: committed.tasks.slice(0, 1) };
    const expected = { bare: 0.2, direct: 0.52, partial: 0.1, full: 0.13, check: 0.05 };
    expectShares(
      sharesOf(mixture, 10_000, (item) => item.style),
      expected,
      0.025,
    );
  });

  it('draws the difficulty uniformly from its range', () => {
    const mixture = one({ task: 'parity', difficulty: { from: 4, to: 7 } });
    const bits = sharesOf(mixture, 8000, (item) => item.problem.steps.length);
    expectShares(bits, { 4: 0.25, 5: 0.25, 6: 0.25, 7: 0.25 }, 0.025);
  });

  it('makes p_cot the share of full chains', () => {
    const mixture = one({ task: 'parity', styles: { direct: 3, bare: 1, full: 7 }, p_cot: 0.3 });
    expectShares(
      sharesOf(mixture, 10_000, (item) => item.style),
      { full: 0.3, direct: 0.525, bare: 0.175 },
      0.025,
    );
  });
});

describe('styleShares', () => {
  it('sums to 1, with p_cot at either end', () => {
    for (const p_cot of [undefined, 0, 0.2, 1]) {
      const shares = styleShares({ ...one({}).tasks[0]!, styles: { bare: 2, full: 3, direct: 0 }, p_cot });
      expect(shares.reduce((sum, [, share]) => sum + share, 0)).toBeCloseTo(1, 12);
      expect(Object.fromEntries(shares).full).toBeCloseTo(p_cot ?? 0.6, 12);
    }
  });
});

describe('validateMixture', () => {
  it('accepts the default', () => {
    expect(() => validateMixture(committed)).not.toThrow();
  });

  it.each([
    ['an unknown task', { task: 'chess' }, "There is no task 'chess'"],
    [
      'a style that the task cannot write',
      { task: 'countdown', difficulty: { from: 3, to: 3 }, styles: { check: 1 } },
      "'check' is not one of bare",
    ],
    ['a setting off the dial', { difficulty: { from: 3, to: 99 } }, 'difficulty 3 to 99'],
    ['a range turned round', { difficulty: { from: 8, to: 3 } }, 'difficulty 8 to 3'],
    ['half a step of difficulty', { difficulty: { from: 3.5, to: 8 } }, 'difficulty 3.5 to 8'],
    ['a negative weight', { weight: -1 }, 'weight -1 is negative'],
    ['a NaN weight', { weight: NaN }, 'weight NaN'],
    ['a negative style', { styles: { direct: 2, bare: -1 } }, 'negative share'],
    ['no style', { styles: {} }, 'no style has a share'],
    ['p_cot beyond 1', { p_cot: 1.5 }, 'p_cot 1.5'],
    ['no weight at all', { weight: 0 }, 'No task of the mixture has a weight'],
  ])('names %s', (_, changes, message) => {
    expect(() => validateMixture(one(changes))).toThrow(message);
  });
});
