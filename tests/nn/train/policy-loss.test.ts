/**
 * @file The loss kernel against src/rl/grpo/losses.ts in float64, on the batches of the goldens, and against what TRL 1.13.0
 * itself computed; `updateMetrics` likewise.
 */
import { describe, expect, it } from 'vitest';
import { parseStats, PolicyLoss, SEQUENCE_WORDS, STAT_NAMES } from '../../../src/nn/train/policy-loss';
import { defaultGrpoConfig } from '../../../src/rl/config';
import { grpoLoss, sequenceWeights, type LossConfig, type LossType } from '../../../src/rl/grpo/losses';
import { updateMetrics } from '../../../src/rl/grpo/update-metrics';
import { EOS, lossGoldens } from '../../rl/grpo/goldens';
import { quickly } from '../../support/quick';
import { layerTest, poison } from '../harness';
import { relativeError } from '../reference';

const test = layerTest('policy-loss.test.ts');

type Batch = (typeof lossGoldens.batches)[string];
type Given = Pick<Batch, 'completion_ids' | 'logps' | 'old_logps' | 'ref_logps' | 'entropies'> & {
  advantages: number[];
};

const truncatedOf = ({ completion_ids }: Given) => completion_ids.map((ids) => ids.at(-1) !== EOS);
const lengthsOf = ({ completion_ids }: Given) => completion_ids.map((ids) => ids.length);

/** Loss, gradient and metrics of a batch, from the kernel, in two dispatches as two micro-batches would have them. */
async function kernelLoss(config: LossConfig, given: Given, onPolicy: boolean) {
  const objective = config.loss_type === 'cispo' || config.loss_type === 'sapo' ? config.loss_type : 'clip';
  const layer = await PolicyLoss.create(test.gpu, {
    objective,
    sequenceRatio: config.importance_sampling_level === 'sequence',
    klRatio: config.use_bias_correction_kl,
  });
  const lengths = lengthsOf(given);
  const count = lengths.length;
  const weights = sequenceWeights(config, lengths, truncatedOf(given));
  const sequences = new Float32Array(count * SEQUENCE_WORDS);
  const bounds = new Uint32Array(sequences.buffer);
  lengths.reduce((start, length, i) => {
    bounds.set([start, start + length], i * SEQUENCE_WORDS);
    sequences.set([given.advantages[i]!, weights[i]!], i * SEQUENCE_WORDS + 2);
    return start + length;
  }, 0);
  const logp = Float32Array.from(given.logps.flat());
  const data = {
    logp,
    // On policy the kernel keeps what it is given, and reads nothing.
    oldLogp: onPolicy ? poison(logp.length) : Float32Array.from(given.old_logps.flat()),
    refLogp: config.beta === 0 ? poison(logp.length) : Float32Array.from(given.ref_logps.flat()),
    entropy: Float32Array.from(given.entropies.flat()),
    sequences: bounds,
    dLogp: poison(logp.length),
    stats: poison(count * STAT_NAMES.length),
  };
  const out = await test.run(data, (recorder, t) => {
    layer.record(recorder, t, { first: 0, count: 3, onPolicy }, config);
    layer.record(recorder, t, { first: 3, count: count - 3, onPolicy }, config);
  });
  if (onPolicy) expect(out.oldLogp).toEqual(logp);
  const { loss, ...metrics } = updateMetrics(config, parseStats(out.stats.slice().buffer, count), weights);
  return { loss: loss!, gradient: out.dLogp, metrics };
}

/** The batch as f32 holds it, so that both sides are given the same numbers. */
function rounded(batch: Batch, advantages: number[]): Given {
  const round = (rows: number[][]) => rows.map((row) => row.map(Math.fround));
  return {
    completion_ids: batch.completion_ids,
    logps: round(batch.logps),
    old_logps: round(batch.old_logps),
    ref_logps: round(batch.ref_logps),
    entropies: round(batch.entropies),
    advantages: advantages.map(Math.fround),
  };
}

const close = (a: number, b: number, limit: number) => expect(Math.abs(a - b)).toBeLessThan(limit * (1 + Math.abs(b)));

const variants = (['grpo', 'bnpo', 'dr_grpo', 'dapo', 'cispo', 'sapo'] satisfies LossType[]).flatMap((loss_type) =>
  (['token', 'sequence'] as const).map((importance_sampling_level) => ({ loss_type, importance_sampling_level })),
);

/** Every combination of the options that act on any loss type. */
function* options(): Generator<Partial<LossConfig>> {
  for (const beta of [0, 0.04]) {
    for (const use_bias_correction_kl of beta === 0 ? [true] : [true, false]) {
      for (const delta of [null, 1.1, 1.6]) {
        for (const mask_truncated_completions of [false, true]) {
          yield { beta, use_bias_correction_kl, delta, mask_truncated_completions };
        }
      }
    }
  }
}

describe.each(quickly(4, variants))('$loss_type by $importance_sampling_level', (variant) => {
  it.each([true, false])('agrees with float64; on policy: %s', async (onPolicy) => {
    const { advantages } = lossGoldens.cases['grpo']!;
    for (const batch of Object.values(lossGoldens.batches)) {
      const given = rounded(batch, advantages);
      for (const option of options()) {
        const config: LossConfig = {
          ...defaultGrpoConfig,
          sapo_temperature_neg: Math.fround(1.05),
          ...variant,
          ...option,
          max_completion_length: lossGoldens.max_completion_length,
        };
        const reference = grpoLoss(config, {
          lengths: lengthsOf(given),
          advantages: given.advantages,
          logps: given.logps.flat(),
          old_logps: onPolicy ? undefined : given.old_logps.flat(),
          ref_logps: given.ref_logps.flat(),
          truncated: truncatedOf(given),
          entropies: given.entropies.flat(),
        });
        const out = await kernelLoss(config, given, onPolicy);
        close(out.loss, reference.loss, 1e-6);
        expect(relativeError(out.gradient, reference.gradient), JSON.stringify(option)).toBeLessThan(1e-5);
        expect(Object.keys(out.metrics).sort()).toEqual(Object.keys(reference.metrics).sort());
        for (const [key, value] of Object.entries(reference.metrics)) close(out.metrics[key]!, value, 1e-6);
      }
    }
  });
});

it.each(Object.keys(lossGoldens.cases))('TRL 1.13.0: %s', async (name) => {
  const golden = lossGoldens.cases[name]!;
  const config = { ...golden.options, max_completion_length: lossGoldens.max_completion_length };
  const given = { ...lossGoldens.batches[golden.batch]!, advantages: golden.advantages };
  const out = await kernelLoss(config, given, golden.on_policy);
  close(out.loss, golden.loss, 1e-6);
  expect(relativeError(out.gradient, golden.grad.flat())).toBeLessThan(1e-5);
  const expected = Object.entries(golden.metrics).filter(([, value]) => value !== null);
  expect(Object.keys(out.metrics).sort()).toEqual(expected.map(([key]) => key).sort());
  for (const [key, value] of expected) close(out.metrics[key]!, value!, 1e-6);
});

it('cross-entropy weighs each sequence, whatever else is set', async () => {
  const layer = await PolicyLoss.create(test.gpu, { objective: 'cross_entropy', sequenceRatio: false, klRatio: false });
  const lengths = [1, 130, 5];
  const weights = [0.5, 0.25, 0];
  const total = lengths.reduce((a, b) => a + b);
  const logp = test.floats(total).map((value) => value - 2);
  const sequences = new Uint32Array(lengths.length * SEQUENCE_WORDS);
  lengths.reduce((start, length, i) => {
    sequences.set([start, start + length], i * SEQUENCE_WORDS);
    new Float32Array(sequences.buffer).set([7, weights[i]!], i * SEQUENCE_WORDS + 2);
    return start + length;
  }, 0);
  const unused = () => poison(total);
  const data = {
    logp,
    oldLogp: unused(),
    refLogp: unused(),
    entropy: new Float32Array(total),
    sequences,
    dLogp: unused(),
    stats: poison(24),
  };
  const out = await test.run(data, (recorder, t) =>
    layer.record(recorder, t, { first: 0, count: 3, onPolicy: true }, defaultGrpoConfig),
  );
  const losses = parseStats(out.stats.slice().buffer, 3).map(({ loss }) => loss);
  expect(
    relativeError(
      losses,
      weights.map((weight, i) => {
        const start = lengths.slice(0, i).reduce((a, b) => a + b, 0);
        return -weight * logp.subarray(start, start + lengths[i]!).reduce((a, b) => a + b, 0);
      }),
    ),
  ).toBeLessThan(1e-5);
  const gradient = lengths.flatMap((length, i) => new Array<number>(length).fill(-weights[i]!));
  expect(relativeError(out.dLogp, gradient)).toBeLessThan(1e-6);
});
