/** @file SwiGLU's activation, forward and backward, against float64. */
import { expect, it } from 'vitest';
import { Swiglu } from '../../../src/nn/train/swiglu';
import { layerTest, poison } from '../harness';
import { relativeError, swiglu } from '../reference';

const test = layerTest('swiglu.test.ts');

it.each([
  { rows: 5, size: 72 },
  { rows: 1, size: 3 },
  { rows: 301, size: 37 },
])('activates and differentiates, far out too: %o', async ({ rows, size }) => {
  const layer = await Swiglu.create(test.gpu, size);
  const gateUp = test.floats(rows * 2 * size, 4);
  // Gates whose exp overflows f32 on either side.
  [gateUp[0], gateUp[1], gateUp[2]] = [-200, 200, -95];
  const dOut = test.floats(rows * size);
  const data = { gateUp, dOut, out: poison(rows * size), dGateUp: poison(rows * 2 * size) };
  const out = await test.run(data, (recorder, t) => {
    layer.forward(recorder, t.gateUp, t.out, rows);
    layer.backward(recorder, t.gateUp, t.dOut, t.dGateUp, rows);
  });
  const value = new Float64Array(rows * size);
  const gradient = new Float64Array(rows * 2 * size);
  for (let i = 0; i < rows * size; i++) {
    const at = Math.floor(i / size) * 2 * size + (i % size);
    const reference = swiglu(gateUp[at]!, gateUp[at + size]!);
    value[i] = reference.value;
    gradient[at] = reference.byGate * dOut[i]!;
    gradient[at + size] = reference.byUp * dOut[i]!;
  }
  expect(relativeError(out.out, value)).toBeLessThan(1e-5);
  expect(relativeError(out.dGateUp, gradient)).toBeLessThan(1e-5);
});
