/** @file Rotary embedding on packed QKV lines, and back, against float64. */
import { expect, it } from 'vitest';
import { Rope, ropeFrequencies, ropeTable } from '../../src/nn/rope';
import { layerTest } from './harness';
import { relativeError, rotate } from './reference';

const test = layerTest('rope.test.ts');

it.each([
  { rows: 13, headDim: 16, heads: 3, kvHeads: 1, theta: 1e4 },
  { rows: 1, headDim: 4, heads: 1, kvHeads: 1, theta: 1e6 },
  { rows: 70, headDim: 32, heads: 4, kvHeads: 2, theta: 5e3 },
])('turns queries and keys by their positions, and back: %o', async ({ rows, headDim, heads, kvHeads, theta }) => {
  const most = 140;
  const stride = (heads + 2 * kvHeads) * headDim;
  const rotated = (heads + kvHeads) * headDim;
  const rope = await Rope.create(test.gpu, { headDim, heads, kvHeads });
  const qkv = test.floats(rows * stride);
  const positions = Uint32Array.from({ length: rows }, () => test.random.int(0, most - 1));
  const table = ropeTable(most, ropeFrequencies({ head_dim: headDim, rope_theta: theta, rope_scaling: null }));
  const turned = (sign: number) =>
    Float64Array.from({ length: rows * stride }, (_, i) => {
      if (i % stride >= rotated) return qkv[i]!;
      const start = i - (i % headDim);
      return rotate(qkv.subarray(start, start + headDim), sign * positions[Math.floor(i / stride)]!, theta)[i - start]!;
    });
  const data = { qkv, dQkv: qkv, both: qkv, positions, table };
  const out = await test.run(data, (recorder, t) => {
    rope.forward(recorder, t.qkv, t.positions, t.table, rows);
    rope.backward(recorder, t.dQkv, t.positions, t.table, rows);
    rope.forward(recorder, t.both, t.positions, t.table, rows);
    rope.backward(recorder, t.both, t.positions, t.table, rows);
  });
  expect(relativeError(out.qkv, turned(1))).toBeLessThan(1e-5);
  expect(relativeError(out.dQkv, turned(-1))).toBeLessThan(1e-5);
  expect(relativeError(out.both, qkv)).toBeLessThan(1e-6);
  const values = (x: Float32Array) => x.filter((_, i) => i % stride >= rotated);
  expect(values(out.both)).toEqual(values(qkv));
});
