import { describe, expect, it } from 'vitest';
import { computeAdvantages } from '../../../src/rl/grpo/advantages';
import { batchMetrics } from '../../../src/rl/grpo/metrics';
import { advantageGoldens, EOS } from './goldens';

describe('against TRL 1.13.0', () => {
  it.each(Object.keys(advantageGoldens.cases))('%s', (name) => {
    const golden = advantageGoldens.cases[name]!;
    const ids = advantageGoldens.completion_ids;
    const names = Object.keys(golden.rewards);
    const completions = ids.map((tokens, i) => {
      const rewards = Object.fromEntries(names.map((key) => [key, golden.rewards[key]![i]!]));
      const present = names.flatMap((key, k) =>
        rewards[key] === null ? [] : [golden.reward_weights[k]! * rewards[key]!],
      );
      const reward = present.length > 0 ? present.reduce((sum, value) => sum + value, 0) : null;
      return { length: tokens.length, truncated: tokens.at(-1) !== EOS, rewards, reward };
    });
    const rewards = completions.map(({ reward }) => reward);
    const result = computeAdvantages(rewards, advantageGoldens.num_generations, golden.scale_rewards);
    // TRL works in float32.
    golden.advantages.forEach((expected, i) =>
      expect(result.advantages[i], `completion ${i}`).toBeCloseTo(expected, 5),
    );

    const metrics = batchMetrics({ completions, advantages: result, promptTokens: 5 * ids.length, previousTokens: 0 });
    const expected = Object.entries(golden.metrics).filter(([, value]) => value !== null);
    expect(Object.keys(metrics).sort()).toEqual(expected.map(([key]) => key).sort());
    for (const [key, value] of expected) expect(metrics[key], key).toBeCloseTo(value!, 5);
  });
});

describe('computeAdvantages', () => {
  it('has the known values', () => {
    expect(computeAdvantages([1, 0, 0, 0], 4, 'group').advantages[0]).toBeCloseTo(1.4997, 4);
    expect(computeAdvantages([1, 1, 0, 0], 4, 'group').advantages[3]).toBeCloseTo(-0.86588, 5);
  });

  it('gives exactly 0 to equal rewards, whatever they are', () => {
    const { advantages, frac_reward_zero_std } = computeAdvantages(Array(16).fill(1.2), 16, 'group');
    expect(advantages).toEqual(Array(16).fill(0));
    expect(frac_reward_zero_std).toBe(1);
  });

  it("reports each group's own mean and std, whatever the scale", () => {
    for (const scale of ['group', 'batch', 'none'] as const) {
      const { groups } = computeAdvantages([1, 0, 3, 3], 2, scale);
      expect(groups).toEqual([
        { mean: 0.5, std: Math.SQRT1_2 },
        { mean: 3, std: 0 },
      ]);
    }
  });

  it('gives 0 to an unscored completion, and to the only scored one', () => {
    expect(computeAdvantages([1, null, null, null], 4, 'group').advantages).toEqual([0, 0, 0, 0]);
    expect(computeAdvantages([null, null], 2, 'none').advantages).toEqual([0, 0]);
  });

  it('refuses what is no batch of groups', () => {
    expect(() => computeAdvantages([1, 2, 3], 2, 'group')).toThrow('3 rewards do not make groups of 2');
    expect(() => computeAdvantages([1, 2], 1, 'group')).toThrow(RangeError);
  });
});

describe('batchMetrics', () => {
  const completion = { length: 3, truncated: true, rewards: { accuracy: 0 }, reward: 0 };

  it('counts tokens on from the batch before', () => {
    const batch = { completions: [completion, completion], advantages: { frac_reward_zero_std: 1 }, promptTokens: 10 };
    expect(batchMetrics({ ...batch, previousTokens: 100 }).num_tokens).toBe(116);
  });

  it('has terminated lengths of 0 when none terminated', () => {
    const batch = { completions: [completion, completion], advantages: { frac_reward_zero_std: 1 } };
    const metrics = batchMetrics({ ...batch, promptTokens: 0, previousTokens: 0 });
    expect(metrics['completions/clipped_ratio']).toBe(1);
    expect(metrics['completions/mean_terminated_length']).toBe(0);
    expect(metrics['completions/max_terminated_length']).toBe(0);
  });
});
