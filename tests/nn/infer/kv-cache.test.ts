/** @file What the QKV write kernel leaves in qkv and in the cache, against float64. */
import { describe, expect, it } from 'vitest';
import {
  cacheBytes,
  cacheKinds,
  NO_POSITION,
  QkvWrite,
  type CacheKind,
  type CacheShape,
} from '../../../src/nn/infer/kv-cache';
import { cacheError, readCache, turnedHead } from './cache-reference';
import { layerTest } from '../harness';
import { relativeError } from '../reference';

const test = layerTest('kv-cache.test.ts');
const EPSILON = 1e-6;

/** A tensor of the cache, full of a value that no write leaves. */
const emptyCache = (kind: CacheKind, shape: CacheShape) =>
  new Uint32Array(cacheBytes(kind, shape) / 4).fill(0x7b7b7b7b);

const cases = [
  { name: 'a piece of a prompt', heads: 6, kvHeads: 2, headDim: 64, slots: 2, capacity: 16, firstSlot: 1, stride: 0 },
  { name: 'wide heads', heads: 2, kvHeads: 1, headDim: 128, slots: 1, capacity: 16, firstSlot: 0, stride: 0 },
  {
    name: 'a token a slot, odd heads',
    heads: 3,
    kvHeads: 3,
    headDim: 24,
    slots: 6,
    capacity: 4,
    firstSlot: 1,
    stride: 1,
  },
];

describe.each(cacheKinds)('a cache in %s', (kind) => {
  it.each(cases)('takes keys and values at their positions: $name', async (c) => {
    const { heads, kvHeads, headDim, slots, capacity, firstSlot, stride } = c;
    const qkNorm = c.name === 'wide heads' ? undefined : { epsilon: EPSILON };
    const shape = { slots, kvHeads, headDim, capacity };
    const tokens = 5;
    const firstRow = 3;
    const width = (heads + 2 * kvHeads) * headDim;
    const write = await QkvWrite.create(test.gpu, { heads, kvHeads, headDim, cache: kind, qkNorm });
    // Token 1 holds nothing; the others wrap round the ring.
    const at = [14, NO_POSITION, 15, 16, 33];
    const positions = Uint32Array.from([1, 2, 3, ...at]);
    const rope = Float32Array.from({ length: positions.length * headDim }, (_, i) =>
      (i % 2 ? Math.sin : Math.cos)(Math.floor(i / 2) * 1.7),
    );
    const qkv = test.floats(tokens * width);
    // One head of zeros: its scale is 0.
    qkv.fill(0, 2 * width + (heads + kvHeads) * headDim, 2 * width + (heads + kvHeads + 1) * headDim);
    const qNorm = test.floats(headDim, 2);
    const kNorm = test.floats(headDim, 2);
    const data = { qkv, positions, rope, keys: emptyCache(kind, shape), values: emptyCache(kind, shape), qNorm, kNorm };
    const out = await test.run(data, (recorder, t) =>
      write.record(recorder, qkNorm ? t : { ...t, qNorm: undefined, kNorm: undefined }, {
        tokens,
        capacity,
        firstRow,
        firstSlot,
        slotStride: stride,
      }),
    );

    const words = (x: Float32Array) => new Uint32Array(x.buffer, x.byteOffset, x.length);
    const expected = { keys: readCache(kind, data.keys, shape), values: readCache(kind, data.values, shape) };
    const queries = Float64Array.from(qkv);
    let worst = 0;
    const stored = { keys: readCache(kind, words(out.keys), shape), values: readCache(kind, words(out.values), shape) };
    for (let t = 0; t < tokens; t++) {
      const angles = rope.subarray((firstRow + t) * headDim, (firstRow + t + 1) * headDim);
      for (let head = 0; head < heads + 2 * kvHeads; head++) {
        const begin = t * width + head * headDim;
        const x = qkv.subarray(begin, begin + headDim);
        if (head < heads) {
          queries.set(turnedHead(x, qkNorm ? qNorm : null, EPSILON, angles), begin);
        } else if (at[t] !== NO_POSITION) {
          const isKey = head < heads + kvHeads;
          const slot = firstSlot + t * stride;
          const to = ((slot * kvHeads + ((head - heads) % kvHeads)) * capacity + (at[t]! % capacity)) * headDim;
          const vector = isKey ? turnedHead(x, qkNorm ? kNorm : null, EPSILON, angles) : Float64Array.from(x);
          const name = isKey ? 'keys' : 'values';
          const most = vector.reduce((m, value) => Math.max(m, Math.abs(value)), 1e-9);
          vector.forEach((value, i) => {
            worst = Math.max(worst, Math.abs(stored[name][to + i]! - value) / most);
            expected[name][to + i] = stored[name][to + i]!;
          });
        }
      }
    }
    expect(relativeError(out.qkv, queries)).toBeLessThan(2e-6);
    expect(worst).toBeLessThan(cacheError[kind]);
    // Everything else is as it was.
    for (const name of ['keys', 'values'] as const) {
      expect(stored[name].findIndex((x, i) => x !== expected[name][i])).toBe(-1);
    }
  });
});

it('refuses more tokens than the ring holds, and heads it has no lanes for', async () => {
  const write = await QkvWrite.create(test.gpu, { heads: 1, kvHeads: 1, headDim: 8, cache: 'f32' });
  const tensor = test.gpu.alloc('any', 4096);
  const tensors = { qkv: tensor, positions: tensor, rope: tensor, keys: tensor, values: tensor };
  expect(() => write.record(test.gpu.recorder(), tensors, { tokens: 5, capacity: 4 })).toThrow('5 tokens at once');
  const heads = { heads: 1, kvHeads: 1, headDim: 20, cache: 'f32' } as const;
  await expect(QkvWrite.create(test.gpu, heads)).rejects.toThrow('multiple of 8');
  test.gpu.free(tensor);
});
