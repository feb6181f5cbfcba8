/** @file GRPO on all weights, on a device: reproducible bit for bit, from checkpoints too; updates that do what they say. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, toFloat32, writeSafetensors } from '../../../src/formats/hf/safetensors';
import type { Gpu } from '../../../src/gpu/gpu';
import { openTraining } from '../../../src/engine/open';
import { decodeCheckpoint } from '../../../src/rl/checkpoint';
import type { Rollout } from '../../../src/rl/grpo/rollout';
import { openTestGpu } from '../../support/gpu';
import { loadGolden } from '../../model/goldens';
import { otherModel, outcome, tinyConfig, tinySession, type Session } from './tiny';

let gpu: Gpu;
/** For runs that go on elsewhere. */
let otherGpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
  otherGpu = await openTestGpu();
});
afterAll(() => {
  gpu.destroy();
  otherGpu.destroy();
});

const steps = async (session: Session, from: number, to: number) => {
  const outcomes = [];
  for (let step = from; step <= to; step++) outcomes.push(outcome(await session.step(step, {})));
  return outcomes;
};
const weightsOf = async (session: Session) =>
  new Map(decodeCheckpoint(await session.checkpoint()).parameters.map(({ name, data }) => [name, data]));
const copyOf = (bytes: Uint8Array) => Buffer.from(bytes);

describe.each([
  { beta: 0.04, num_iterations: 2, log_probability_change: true },
  { beta: 0, num_iterations: 1, log_probability_change: false },
])('%o', (change) => {
  it('gives the same run for the same seed, evaluated or not, and goes on from a checkpoint bit for bit', async () => {
    const session = await tinySession(gpu, change);
    const first = await steps(session, 1, 1);
    const early = copyOf(await session.checkpoint());
    const whole = [...first, ...(await steps(session, 2, 3))];
    const late = copyOf(await session.checkpoint());
    expect(whole.some(({ metrics }) => metrics.frac_reward_zero_std! < 1)).toBe(true);
    expect(whole.every(({ metrics }) => Object.values(metrics).every(Number.isFinite))).toBe(true);
    expect(late.equals(early)).toBe(false);

    const again = await tinySession(gpu, change);
    const repeated = [];
    for (const step of [1, 2, 3]) {
      await again.evaluate(step);
      repeated.push(...(await steps(again, step, step)));
    }
    expect(repeated).toEqual(whole);
    expect(copyOf(await again.checkpoint()).equals(late)).toBe(true);

    // On another device, in a session that has gone another way, and whose sampler has packed its weights.
    const start = await otherModel((value) => 0.9 * value);
    const restored = await openTraining(otherGpu, start, { ...tinyConfig, ...change });
    await steps(restored, 7, 8);
    await restored.evaluate(8);
    await restored.restore(early);
    expect(copyOf(await restored.checkpoint()).equals(early)).toBe(true);
    expect(await steps(restored, 2, 3)).toEqual(whole.slice(1));
    expect(copyOf(await restored.checkpoint()).equals(late)).toBe(true);
  });
});

it('keeps the reference model as it was at the start, checkpoints included', async () => {
  const { weights: start } = await loadGolden('llama');
  const session = await tinySession(gpu, { beta: 0.04 });
  await session.step(1, {});
  const second = await session.step(2, {});
  expect(second.metrics.kl).toBeGreaterThan(0);
  const { tensors } = readSafetensors(await session.checkpoint());
  for (const [name, { data }] of start) {
    expect(toFloat32(tensors.get(`reference.${name}`)!)).toEqual(data);
    expect(toFloat32(tensors.get(name)!)).not.toEqual(data);
  }
});

it('samples other completions for another seed', async () => {
  const [a, b] = [await tinySession(gpu, { seed: 1 }), await tinySession(gpu, { seed: 2 })];
  const ids = async (session: Session) =>
    (await session.step(1, {})).groups.map(({ completions }) => completions.map(({ token_ids }) => token_ids));
  expect(await ids(a)).not.toEqual(await ids(b));
});

describe('an update', () => {
  it('more than once for a batch moves the ratio, so that clipping acts', async () => {
    const change = { learning_rate: 0.05 };
    const [once, thrice] = [await tinySession(gpu, change), await tinySession(gpu, { ...change, num_iterations: 3 })];
    const [one, three] = [await once.step(1, {}), await thrice.step(1, {})];
    expect(three.groups).not.toEqual(one.groups);
    expect(three.groups.map(({ mean }) => mean)).toEqual(one.groups.map(({ mean }) => mean));
    expect(one.metrics['clip_ratio/region_mean']).toBe(0);
    expect(three.metrics['clip_ratio/region_mean']).toBeGreaterThan(0);
    expect(await weightsOf(thrice)).not.toEqual(await weightsOf(once));
  });

  it('changes each log-probability to what the updated model gives, upwards with the advantage', async () => {
    let rollout!: Rollout;
    const session = await tinySession(
      gpu,
      { log_probability_change: true },
      { onBatch: (_, __, batch) => (rollout = batch) },
    );
    const { groups } = await session.step(1, {});
    const { learner } = session.parts;
    const completions = groups.flatMap((group) => group.completions);
    const batch = rollout.prompts.map((prompt, i) => ({
      prompt,
      completions: groups[i]!.completions.map(({ token_ids }) => token_ids),
    }));
    const loaded = learner.load(batch, () => ({ advantage: 0, weight: 0 }));
    const recorder = gpu.recorder();
    learner.scoreAs(recorder, loaded, 'policy', learner.rows.logp, 1);
    recorder.submit();
    const scored = new Float32Array(await gpu.read(learner.rows.logp, loaded.batch.rows * 4));
    const after = completions.flatMap((completion) => completion.logprobs_after!);
    expect(after).toEqual(Array.from(scored, (x) => Math.round(x * 1e5) / 1e5));
    // To first order the objective Σ A·logp rises.
    const gain = completions.reduce((sum, { advantage, logprobs, logprobs_after }) => {
      return sum + logprobs.reduce((a, logp, t) => a + advantage * (logprobs_after![t]! - logp), 0);
    }, 0);
    expect(gain).toBeGreaterThan(0);
  });

  it('takes the learning rate and the rewards of now', async () => {
    const session = await tinySession(gpu);
    const before = await weightsOf(session);
    const { metrics } = await session.step(1, {
      learning_rate: 0,
      reward_weights: [0, 0, -2],
    });
    expect(metrics.learning_rate).toBe(0);
    expect(metrics.reward).toBeCloseTo(-2 * metrics['rewards/length/mean']!, 6);
    expect(await weightsOf(session)).toEqual(before);
  });
});

it('evaluates the same way every time, by the weights alone', async () => {
  const session = await tinySession(gpu);
  const start = await session.evaluate(0);
  expect(start.samples).toHaveLength(6);
  expect(await session.evaluate(5)).toEqual(start);
  const early = await session.checkpoint();
  await session.step(1, {});
  expect((await session.evaluate(1)).samples).not.toEqual(start.samples);
  const other = await tinySession(gpu);
  await other.step(3, {});
  await other.evaluate(3);
  await other.restore(early);
  expect(await other.evaluate(9)).toEqual(start);
});

it.each([NaN, Infinity])(
  'reports weights of %f as a gradient that is not finite, and leaves them alone',
  async (bad) => {
    const broken = await otherModel((value, name) => (name === 'model.norm.weight' ? bad : value));
    const session = await openTraining(gpu, broken, { ...tinyConfig, log_probability_change: true });
    const before = await weightsOf(session);
    const { metrics, groups } = await session.step(1, {});
    expect(Number.isFinite(metrics.grad_norm)).toBe(false);
    expect(
      groups.flatMap(({ completions }) => completions).every(({ token_ids }) => token_ids.every((id) => id < 64)),
    ).toBe(true);
    expect(await weightsOf(session)).toEqual(before);
  },
);

describe('a checkpoint that does not fit', () => {
  it('is refused, and changes nothing', async () => {
    const session = await tinySession(gpu, { beta: 0.04 });
    await session.step(1, {});
    const before = copyOf(await session.checkpoint());
    const { tensors, metadata } = readSafetensors(before);
    const floats = [...tensors.values()].map(({ name, shape, ...rest }) => ({
      name,
      shape,
      data: toFloat32({ name, shape, ...rest }).fill(0.5),
    }));
    const write = (change: (tensor: (typeof floats)[number]) => (typeof floats)[number] | null, meta = metadata) =>
      writeSafetensors(
        floats.map(change).filter((tensor) => tensor !== null),
        'F32',
        meta,
      );
    const without = (name: string) => write((tensor) => (tensor.name.startsWith(name) ? null : tensor));
    const shortened = (name: string) =>
      write((tensor) => (tensor.name === name ? { name, shape: [64], data: tensor.data.slice(0, 64) } : tensor));
    const bad: [Uint8Array, RegExp][] = [
      [before.subarray(0, before.length - 100), /cut short/],
      [new Uint8Array(5), /cut short/],
      [write((tensor) => tensor, {}), /not a checkpoint of a training run/],
      [without('adam.moments'), /not a checkpoint of a training run/],
      [without('reference.'), /no reference model/],
      [without('model.norm.weight'), /not one of this model: model.norm.weight has no values/],
      [shortened('lm_head.weight'), /lm_head.weight has 64 values; the config implies 4096/],
      [shortened('adam.moments'), /it has 64 optimizer moments/],
      [shortened('reference.lm_head.weight'), /lm_head.weight has 64 values/],
    ];
    for (const [bytes, message] of bad) {
      await expect(session.restore(bytes)).rejects.toThrow(message);
      expect(copyOf(await session.checkpoint()).equals(before)).toBe(true);
    }
  });
});
