/** @file Attention of new tokens over the cache, and what it leaves there, against float64. */
import { describe, expect, it } from 'vitest';
import { slice, type Tensor } from '../../../src/gpu/tensor';
import {
  DecodeAttention,
  decodeScratchBytes,
  type DecodeAttentionOptions,
} from '../../../src/nn/infer/decode-attention';
import {
  cacheBytes,
  cacheKinds,
  NO_POSITION,
  QkvWrite,
  type CacheKind,
  type CacheShape,
} from '../../../src/nn/infer/kv-cache';
import { attend, cacheError, readCache, turnedHead } from './cache-reference';
import { quickly } from '../../support/quick';
import { layerTest } from '../harness';
import { relativeError } from '../reference';

const test = layerTest('decode-attention.test.ts');
const EPSILON = 1e-6;

interface Case {
  name: string;
  heads: number;
  kvHeads: number;
  headDim: number;
  capacity: number;
  /** Of the new token of each slot. */
  positions: number[];
  shape?: DecodeAttentionOptions['shape'];
  qkNorm?: boolean;
  firstSlot?: number;
  /** Cache kinds that it is run with; all if left out. Compiling is what takes time. */
  kinds?: CacheKind[];
}

const short = { minKeys: 16, maxKeys: 32, workgroups: 64 };
const cases: Case[] = [
  { name: 'one stretch', heads: 6, kvHeads: 2, headDim: 64, capacity: 40, positions: [29], qkNorm: true },
  {
    name: 'the first token',
    heads: 2,
    kvHeads: 1,
    headDim: 8,
    capacity: 40,
    positions: [0],
    shape: short,
    kinds: ['f32'],
  },
  {
    name: 'many stretches, lengths that differ, a slot that rests, rings that wrap',
    heads: 4,
    kvHeads: 2,
    headDim: 32,
    capacity: 72,
    positions: [70, 3, NO_POSITION, 71, 72, 1000],
    shape: short,
    firstSlot: 1,
  },
  {
    name: 'many stretches with qk-norm, wide heads, seven heads a key',
    heads: 14,
    kvHeads: 2,
    headDim: 128,
    capacity: 80,
    positions: [79, 85],
    shape: { ...short, threads: 64, keyLanes: 4 },
    qkNorm: true,
  },
  {
    name: 'heads that fill no power of two',
    heads: 3,
    kvHeads: 1,
    headDim: 40,
    capacity: 64,
    positions: [50],
    shape: { ...short, threads: 64, keyLanes: 8 },
    kinds: ['q8'],
  },
];

describe.each(quickly(2, cacheKinds))('over a cache in %s', (kind) => {
  it.each(cases.filter(({ kinds }) => !kinds || kinds.includes(kind)))(
    'attends to every position in the ring: $name',
    async (c) => {
      const { heads, kvHeads, headDim, capacity, firstSlot = 0 } = c;
      const slots = c.positions.length;
      const options = {
        ...{ heads, kvHeads, headDim, cache: kind, capacity, maxSlots: slots },
        ...(c.shape && { shape: c.shape }),
        qkNorm: c.qkNorm ? { epsilon: EPSILON } : undefined,
      };
      const attention = await DecodeAttention.create(test.gpu, options);
      const cacheShape = { slots: slots + firstSlot, kvHeads, headDim, capacity };
      const width = (heads + 2 * kvHeads) * headDim;
      const firstRow = 2;
      const rows = [0, 0, ...c.positions];
      const rope = Float32Array.from({ length: rows.length * headDim }, (_, i) =>
        (i % 2 ? Math.sin : Math.cos)(Math.floor(i / 2) * 1.7),
      );
      const cache = await filled(kind, cacheShape);
      const norms = { qNorm: test.floats(headDim, 2), kNorm: test.floats(headDim, 2) };
      const data = {
        qkv: test.floats(slots * width),
        positions: Uint32Array.from(rows),
        rope,
        ...norms,
        ...cache,
        partials: new Float32Array(decodeScratchBytes(options) / 4).fill(NaN),
        out: new Float32Array(slots * heads * headDim).fill(7),
      };
      const longest = Math.max(...c.positions.filter((position) => position !== NO_POSITION)) + 1;
      const out = await test.run(data, (recorder, t) =>
        attention.record(recorder, c.qkNorm ? t : { ...t, qNorm: undefined, kNorm: undefined }, {
          slots,
          firstSlot,
          firstRow,
          longest,
        }),
      );
      if (c.name.startsWith('many')) expect(attention.stretches(slots, longest).stretches).toBeGreaterThan(2);

      const words = (x: Float32Array) => new Uint32Array(x.buffer, x.byteOffset, x.length);
      const before = {
        keys: readCache(kind, cache.keys, cacheShape),
        values: readCache(kind, cache.values, cacheShape),
      };
      const after = {
        keys: readCache(kind, words(out.keys), cacheShape),
        values: readCache(kind, words(out.values), cacheShape),
      };
      const expected = new Float64Array(data.out.length).fill(7);
      let worst = 0;
      c.positions.forEach((position, token) => {
        if (position === NO_POSITION) return;
        const angles = rope.subarray((firstRow + token) * headDim, (firstRow + token + 1) * headDim);
        const head = (i: number) => data.qkv.subarray(token * width + i * headDim, token * width + (i + 1) * headDim);
        for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
          const at = (index: number) => (((firstSlot + token) * kvHeads + kvHead) * capacity + index) * headDim;
          const to = at(position % capacity);
          // The new key and value, within the cache's rounding; from here on, as they were stored.
          const vectors = {
            keys: turnedHead(head(heads + kvHead), c.qkNorm ? norms.kNorm : null, EPSILON, angles),
            values: Float64Array.from(head(heads + kvHeads + kvHead)),
          };
          for (const name of ['keys', 'values'] as const) {
            const most = vectors[name].reduce((m, x) => Math.max(m, Math.abs(x)), 1e-9);
            vectors[name].forEach((x, i) => {
              worst = Math.max(worst, Math.abs(after[name][to + i]! - x) / most);
              before[name][to + i] = after[name][to + i]!;
            });
          }
          const read = (of: Float64Array) => (index: number) => of.subarray(at(index), at(index) + headDim);
          for (let h = kvHead * (heads / kvHeads); h < (kvHead + 1) * (heads / kvHeads); h++) {
            const q = turnedHead(head(h), c.qkNorm ? norms.qNorm : null, EPSILON, angles);
            const count = Math.min(position + 1, capacity);
            const result = attend(q, count, read(before.keys), read(before.values));
            expected.set(result, (token * heads + h) * headDim);
          }
        }
      });
      expect(worst).toBeLessThan(cacheError[kind]);
      expect(relativeError(out.out, expected)).toBeLessThan(1e-5);
      for (const name of ['keys', 'values'] as const) {
        expect(after[name].findIndex((x, i) => x !== before[name][i])).toBe(-1);
      }
    },
  );

  it('stores what QkvWrite stores', async () => {
    const sizes = { heads: 4, kvHeads: 2, headDim: 64, cache: kind, qkNorm: { epsilon: EPSILON } };
    const capacity = 8;
    const options = { ...sizes, capacity, maxSlots: 3 };
    const attention = await DecodeAttention.create(test.gpu, options);
    const write = await QkvWrite.create(test.gpu, sizes);
    const empty = new Uint32Array(cacheBytes(kind, { slots: 3, kvHeads: 2, headDim: 64, capacity }) / 4);
    const qkv = test.floats(3 * 8 * 64);
    const data = {
      qkv,
      sameQkv: qkv,
      positions: Uint32Array.from([0, 1, 13]),
      rope: test.floats(3 * 64),
      ...{ keys: empty, values: empty, sameKeys: empty, sameValues: empty },
      qNorm: test.floats(64, 2),
      kNorm: test.floats(64, 2),
      partials: new Float32Array(decodeScratchBytes(options) / 4),
      out: new Float32Array(3 * 4 * 64),
    };
    const out = await test.run(data, (recorder, t) => {
      attention.record(recorder, t, { slots: 3, longest: 14 });
      const same = { ...t, qkv: t.sameQkv, keys: t.sameKeys, values: t.sameValues };
      write.record(recorder, same, { tokens: 3, capacity, slotStride: 1 });
    });
    const bytes = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
    expect(bytes(out.keys).equals(bytes(out.sameKeys))).toBe(true);
    expect(bytes(out.values).equals(bytes(out.sameValues))).toBe(true);
  });
});

/** A full cache of random numbers, as QkvWrite packs them. */
async function filled(kind: CacheKind, shape: CacheShape) {
  const { slots, kvHeads, headDim, capacity } = shape;
  const write = await QkvWrite.create(test.gpu, { heads: kvHeads, kvHeads, headDim, cache: kind });
  const tokens = slots * capacity;
  const data = {
    qkv: test.floats(tokens * 3 * kvHeads * headDim),
    positions: Uint32Array.from({ length: tokens }, (_, i) => i % capacity),
    rope: Float32Array.from({ length: tokens * headDim }, (_, i) => 1 - (i % 2)),
    keys: new Uint32Array(cacheBytes(kind, shape) / 4),
    values: new Uint32Array(cacheBytes(kind, shape) / 4),
  };
  const tensors = Object.fromEntries(
    Object.entries(data).map(([name, content]) => {
      const tensor = test.gpu.alloc(name, content.byteLength);
      test.gpu.write(tensor, content);
      return [name, tensor];
    }),
  ) as Record<keyof typeof data, Tensor>;
  const recorder = test.gpu.recorder();
  const bytes = data.qkv.byteLength / slots;
  for (let slot = 0; slot < slots; slot++) {
    const piece = { ...tensors, qkv: slice(tensors.qkv, slot * bytes, bytes) };
    write.record(recorder, piece, { tokens: capacity, capacity, firstSlot: slot, firstRow: slot * capacity });
  }
  const reads = [recorder.read(tensors.keys), recorder.read(tensors.values)];
  recorder.submit();
  const [keys, values] = await Promise.all(reads);
  test.gpu.free(...Object.values(tensors));
  return {
    keys: new Uint32Array(keys!).subarray(0, data.keys.length),
    values: new Uint32Array(values!).subarray(0, data.values.length),
  };
}
