import { describe, expect, it } from 'vitest';
import { defaultGrpoConfig } from '../../../src/rl/config';
import type { LossBatch, LossConfig } from '../../../src/rl/grpo/losses';
import { grpoLoss, klTerm, policyTerm, sequenceWeights, type LossType } from '../../../src/rl/grpo/losses';
import { rng } from '../../../src/base/rng';
import { EOS, lossGoldens } from './goldens';

const LOSS_TYPES: LossType[] = ['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo', 'sapo'];
const config = (changes: Partial<LossConfig> = {}): LossConfig => ({ ...defaultGrpoConfig, ...changes });

describe('against TRL 1.13.0', () => {
  it.each(Object.keys(lossGoldens.cases))('%s', (name) => {
    const golden = lossGoldens.cases[name]!;
    const batch = lossGoldens.batches[golden.batch]!;
    const options = {
      ...golden.options,
      // TRL picks the temperature through a float32 tensor.
      sapo_temperature_pos: Math.fround(golden.options.sapo_temperature_pos),
      sapo_temperature_neg: Math.fround(golden.options.sapo_temperature_neg),
      max_completion_length: lossGoldens.max_completion_length,
    };
    const result = grpoLoss(options, {
      lengths: batch.completion_ids.map((ids) => ids.length),
      advantages: golden.advantages,
      logps: batch.logps.flat(),
      old_logps: golden.on_policy ? undefined : batch.old_logps.flat(),
      ref_logps: golden.options.beta === 0 ? undefined : batch.ref_logps.flat(),
      truncated: batch.completion_ids.map((ids) => ids.at(-1) !== EOS),
      entropies: batch.entropies.flat(),
    });
    // Goldens have ten digits; TRL's metrics are float32, all else is float64 on both sides.
    expect(result.loss).toBeCloseTo(golden.loss, 9);
    const gradient = golden.grad.flat();
    expect(result.gradient.length).toBe(gradient.length);
    gradient.forEach((expected, t) =>
      expect(Math.abs(result.gradient[t]! - expected), `token ${t}`).toBeLessThan(1e-9),
    );
    const expected = Object.entries(golden.metrics).filter(([, value]) => value !== null);
    expect(Object.keys(result.metrics).sort()).toEqual(expected.map(([key]) => key).sort());
    for (const [key, value] of expected) expect(result.metrics[key], key).toBeCloseTo(value!, 6);
  });
});

/** Ratios on both sides of every bound, and away from it so that finite differences see one branch. */
function randomBatch(seed: number): LossBatch & { logps: number[] } {
  const random = rng(seed);
  const lengths = [1, 7, 3, 12, 2, 5];
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const logps = Array.from({ length: tokens }, () => -3 * random.next());
  return {
    lengths,
    logps,
    advantages: lengths.map((_, i) => (i % 2 === 0 ? 1 : -1) * (0.2 + random.next())),
    old_logps: logps.map((logp) => logp + random.pick([-0.6, -0.3, -0.1, 0.05, 0.3, 0.6])),
    ref_logps: logps.map((logp) => logp + random.next() - 0.5),
    truncated: lengths.map((length) => length === 12),
  };
}

describe('gradient', () => {
  const variants = LOSS_TYPES.flatMap((loss_type) =>
    (['token', 'sequence'] as const).flatMap((importance_sampling_level) =>
      [true, false].map((use_bias_correction_kl) => ({ loss_type, importance_sampling_level, use_bias_correction_kl })),
    ),
  );
  it.each(variants)('is the slope of the loss: %o', (variant) => {
    const options = config({ ...variant, beta: 0.1, delta: 1.5, mask_truncated_completions: true });
    const batch = { ...randomBatch(3), gradient_accumulation_steps: 3 };
    const { gradient } = grpoLoss(options, batch);
    const step = 1e-6;
    // cispo holds its weight constant, and so does a small step here: every ratio is above the cap of 0.2.
    const shifted = (t: number, by: number) => {
      const logps = batch.logps.map((logp, u) => (u === t ? logp + by : logp));
      return grpoLoss(options, { ...batch, logps }).loss;
    };
    gradient.forEach((slope, t) => {
      expect(slope).toBeCloseTo((shifted(t, step) - shifted(t, -step)) / (2 * step), 6);
    });
  });
});

describe('terms', () => {
  it('k3 has the known values', () => {
    const plain = config({ use_bias_correction_kl: false });
    expect(klTerm(plain, 1, 0, 0.1).value).toBeCloseTo(0.0051709, 7);
    expect(klTerm(plain, 1, 0, -0.1).value).toBeCloseTo(0.0048374, 7);
  });

  it('the ratio carries the gradient inside the clipping range and on the side that would undo the update', () => {
    const at = (ratio: number, advantage: number) => policyTerm(config(), ratio, advantage, -1).byRatio;
    expect([at(1, 1), at(1.3, 1), at(0.7, 1)]).toEqual([-1, -0, -1].map((x) => x || 0));
    expect([at(1, -1), at(1.3, -1), at(0.7, -1)]).toEqual([1, 1, 0]);
  });

  it('delta bounds what clipping leaves open: a large ratio with a negative advantage', () => {
    expect(policyTerm(config(), 10, -1, -1)).toEqual({ value: 10, byRatio: 1, byLogp: 0 });
    expect(policyTerm(config({ delta: 4 }), 10, -1, -1)).toEqual({ value: 4, byRatio: 0, byLogp: 0 });
  });

  it('cispo caps at epsilon_high itself', () => {
    const { value, byLogp } = policyTerm(config({ loss_type: 'cispo', epsilon_high: 5 }), 7, 2, -3);
    expect([value, byLogp]).toEqual([30, -10]);
  });
});

describe('sequenceWeights', () => {
  const weights = (changes: Partial<LossConfig>, steps?: number, truncated?: boolean[]) => [
    ...sequenceWeights(config({ max_completion_length: 16, ...changes }), [2, 8, 4, 6], truncated, steps),
  ];

  it('has the known values for lengths 2 and 8', () => {
    const two = (loss_type: LossType) => [
      ...sequenceWeights(config({ loss_type, max_completion_length: 16 }), [2, 8], undefined),
    ];
    expect(two('grpo')).toEqual([0.25, 0.0625]);
    expect(two('dapo')).toEqual([0.1, 0.1]);
    expect(two('dr_grpo')).toEqual([0.03125, 0.03125]);
  });

  it('only bnpo depends on the split into micro-batches', () => {
    expect(weights({ loss_type: 'bnpo' }, 2)).toEqual([1 / 20, 1 / 20, 1 / 20, 1 / 20]);
    expect(weights({ loss_type: 'bnpo' }, 4)).toEqual([1 / 8, 1 / 32, 1 / 16, 1 / 24]);
    for (const loss_type of LOSS_TYPES.filter((type) => type !== 'bnpo')) {
      expect(weights({ loss_type }, 4)).toEqual(weights({ loss_type }, 1));
    }
    expect(weights({ loss_type: 'bnpo' })).toEqual(weights({ loss_type: 'dapo' }));
  });

  it('leaves masked sequences out of the tokens, not out of the sequences', () => {
    const cut = [false, true, false, false];
    expect(weights({ loss_type: 'dapo', mask_truncated_completions: true }, 1, cut)).toEqual([
      1 / 12,
      0,
      1 / 12,
      1 / 12,
    ]);
    expect(weights({ loss_type: 'grpo', mask_truncated_completions: true }, 1, cut)).toEqual([
      1 / 8,
      0,
      1 / 16,
      1 / 24,
    ]);
    expect(weights({ loss_type: 'dapo' }, 1, cut)[1]).toBe(1 / 20);
  });

  it('refuses an uneven split', () => {
    expect(() => weights({}, 3)).toThrow('4 sequences do not split into 3 equal micro-batches');
  });
});

it('refuses a KL without reference', () => {
  expect(() => grpoLoss(config({ beta: 0.1 }), { lengths: [1], advantages: [1], logps: [-1] })).toThrow('ref_logps');
});
