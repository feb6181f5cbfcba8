/** @file Clipping and AdamW against float64 over several steps, and what a gradient that isn't finite does. */
import { describe, expect, it } from 'vitest';
import { Adamw } from '../../../src/nn/train/adamw';
import { layerTest } from '../harness';
import { adamwStep, relativeError } from '../reference';

const test = layerTest('adamw.test.ts');
const settings = {
  learning_rate: 0.01,
  adam_beta1: 0.9,
  adam_beta2: 0.95,
  adam_epsilon: 1e-8,
  weight_decay: 0.1,
  max_grad_norm: 1,
};

async function setUp(count: number, start = test.floats(count)) {
  const decays = Uint32Array.from({ length: count / 64 }, (_, i) => Number(i % 3 === 0));
  const adamw = await Adamw.create(test.gpu, count, decays);
  const tensor = (values: Float32Array) => {
    const made = test.gpu.alloc('values', values.byteLength);
    test.gpu.write(made, values);
    return made;
  };
  const [params, grads] = [tensor(start), tensor(new Float32Array(count))];
  /** One step with this gradient; what everything holds afterwards. */
  const step = async (gradient: Float32Array, number: number, change: Partial<typeof settings> = {}) => {
    test.gpu.write(grads, gradient);
    const recorder = test.gpu.recorder();
    adamw.step(recorder, params, grads, number, { ...settings, ...change });
    const reads = [params, grads, adamw.moments, adamw.norm].map((t) => recorder.read(t));
    recorder.submit();
    const [weights, left, moments, norm] = (await Promise.all(reads)).map((data) => new Float32Array(data));
    return { weights: weights!, left: left!, moments: moments!, norm: norm![0]! };
  };
  return { decays, start, step };
}

describe.each([64, 4160, 71104])('%i values', (count) => {
  it.each([{ max_grad_norm: 1 }, { max_grad_norm: 0 }, { max_grad_norm: 1e6, adam_beta2: 0.999, weight_decay: 0 }])(
    'agrees over four steps: %o',
    async (change) => {
      const { decays, start, step } = await setUp(count);
      const gradients = Array.from({ length: 4 }, () => test.floats(count));
      const zeros = new Float64Array(count);
      const state = { weights: Float64Array.from(start), first: zeros.slice(), second: zeros.slice() };
      for (const [i, gradient] of gradients.entries()) {
        const out = await step(gradient, i + 1, change);
        const norm = adamwStep(state, gradient, (value) => decays[value >> 6] === 1, i + 1, { ...settings, ...change });
        expect(Math.abs(out.norm / norm - 1)).toBeLessThan(1e-5);
        expect(out.left).toEqual(new Float32Array(count));
        const update = out.weights.map((value, j) => value - start[j]!);
        expect(
          relativeError(
            update,
            state.weights.map((value, j) => value - start[j]!),
          ),
        ).toBeLessThan(1e-5);
        expect(
          relativeError(
            out.moments.filter((_, j) => j % 2 === 0),
            state.first,
          ),
        ).toBeLessThan(1e-5);
        expect(
          relativeError(
            out.moments.filter((_, j) => j % 2 === 1),
            state.second,
          ),
        ).toBeLessThan(1e-5);
      }
    },
  );
});

it('repeats bit for bit', async () => {
  const [start, gradient] = [test.floats(4160), test.floats(4160)];
  const [one, two] = [await setUp(4160, start), await setUp(4160, start)];
  for (const step of [1, 2]) expect(await two.step(gradient, step)).toEqual(await one.step(gradient, step));
});

it.each([NaN, Infinity, -Infinity, 3e30])('a gradient with a %f changes nothing but is cleared', async (bad) => {
  const { step } = await setUp(4160);
  const before = await step(test.floats(4160), 1);
  const gradient = test.floats(4160);
  gradient[4100] = bad;
  const after = await step(gradient, 2);
  expect(Number.isFinite(after.norm)).toBe(false);
  expect(after.weights).toEqual(before.weights);
  expect(after.moments).toEqual(before.moments);
  expect(after.left).toEqual(new Float32Array(4160));
});
