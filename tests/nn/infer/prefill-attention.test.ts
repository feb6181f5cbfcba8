/** @file Attention of a piece of a prompt over the cache, against float64 and against the cache's bytes. */
import { describe, expect, it } from 'vitest';
import { float32ToFloat16 } from '../../../src/base/half';
import { cacheBytes, cacheKinds, type CacheKind, type CacheShape } from '../../../src/nn/infer/kv-cache';
import {
  PREFILL_ATTENTION_SHAPES,
  PrefillAttention,
  prefillAttentionBytes,
  prefillAttentionShape,
  type PrefillAttentionShape,
} from '../../../src/nn/infer/prefill-attention';
import { attend, readCache } from './cache-reference';
import { quickly } from '../../support/quick';
import { layerTest, poison } from '../harness';
import { relativeError } from '../reference';

const test = layerTest('prefill-attention.test.ts');

/** A tensor of the cache with every place filled. */
function randomCache(kind: CacheKind, shape: CacheShape): Uint32Array {
  const { headDim, capacity } = shape;
  const bytes = cacheBytes(kind, shape);
  if (kind === 'f32') return new Uint32Array(test.floats(bytes / 4).buffer);
  if (kind === 'f16') return new Uint32Array(Uint16Array.from(test.floats(bytes / 2), float32ToFloat16).buffer);
  const words = Uint32Array.from({ length: bytes / 4 }, () => Math.floor(2 ** 32 * test.random.next()));
  const scales = new Float32Array(words.buffer);
  const headWords = capacity * (headDim / 4 + 1);
  for (let i = 0; i < words.length; i++) {
    if (i % headWords >= (capacity * headDim) / 4) scales[i] = 0.1 + test.random.next();
    // int8 of −127…127: −128 is never stored.
    else words[i] = words[i]! & 0x7f7f7f7f;
  }
  return words;
}

interface Case {
  name: string;
  heads: number;
  kvHeads: number;
  headDim: number;
  tokens: number;
  firstPosition: number;
  capacity: number;
  shape?: PrefillAttentionShape;
  kinds?: CacheKind[];
}

const cases: Case[] = [
  { name: 'a whole prompt', heads: 4, kvHeads: 2, headDim: 64, tokens: 37, firstPosition: 0, capacity: 50 },
  {
    name: 'a ring that wraps within the piece and within a chunk of keys',
    ...{ heads: 3, kvHeads: 1, headDim: 32, tokens: 21, firstPosition: 90, capacity: 48 },
    shape: { tile: 16, chunk: 16 },
  },
  {
    name: 'a full ring, replaced whole',
    ...{ heads: 1, kvHeads: 1, headDim: 8, tokens: 20, firstPosition: 33, capacity: 20 },
    kinds: ['f32'],
  },
  {
    name: 'wide heads after a cached prefix',
    ...{ heads: 2, kvHeads: 1, headDim: 128, tokens: 5, firstPosition: 40, capacity: 64 },
    shape: { tile: 16, chunk: 8 },
    kinds: ['f16'],
  },
  {
    name: 'heads that fill no power of two, one token',
    ...{ heads: 2, kvHeads: 2, headDim: 40, tokens: 1, firstPosition: 7, capacity: 9 },
    kinds: ['q8'],
  },
];

describe.each(quickly(2, cacheKinds))('over a cache in %s', (kind) => {
  it.each(cases.filter(({ kinds }) => !kinds || kinds.includes(kind)))('$name', async (c) => {
    const { heads, kvHeads, headDim, tokens, firstPosition, capacity } = c;
    const sizes = { heads, kvHeads, headDim, cache: kind };
    const attention = await PrefillAttention.create(test.gpu, c.shape ? { ...sizes, shape: c.shape } : sizes);
    const cacheShape = { slots: 2, kvHeads, headDim, capacity };
    const slot = 1;
    const width = (heads + 2 * kvHeads) * headDim;
    const rows = heads * headDim;
    // Of qkv only the queries are read, and of out only the tokens' rows are written.
    const queries = test.floats(tokens * width, 3).map((v, i) => (i % width < rows ? v : NaN));
    const data = {
      qkv: Float32Array.from([...queries, ...poison(width)]),
      keys: randomCache(kind, cacheShape),
      values: randomCache(kind, cacheShape),
      out: poison((tokens + 1) * rows),
    };
    const out = await test.run(data, (recorder, t) =>
      attention.record(recorder, t, { tokens, firstPosition, capacity, slot }),
    );

    const [keys, values] = [readCache(kind, data.keys, cacheShape), readCache(kind, data.values, cacheShape)];
    const oldest = Math.max(0, firstPosition + tokens - capacity);
    const expected = new Float64Array(tokens * rows);
    for (let token = 0; token < tokens; token++) {
      for (let h = 0; h < heads; h++) {
        const kvHead = Math.floor(h / (heads / kvHeads));
        const read = (of: Float64Array) => (i: number) => {
          const at = ((slot * kvHeads + kvHead) * capacity + ((oldest + i) % capacity)) * headDim;
          return of.subarray(at, at + headDim);
        };
        const from = token * width + h * headDim;
        const query = data.qkv.subarray(from, from + headDim);
        const count = firstPosition + token + 1 - oldest;
        expected.set(attend(query, count, read(keys), read(values)), token * rows + h * headDim);
      }
    }
    expect(relativeError(out.out.subarray(0, tokens * rows), expected)).toBeLessThan(1e-5);
    expect(out.out.subarray(tokens * rows).every((v) => Number.isNaN(v))).toBe(true);
  });
});

it('chooses what fits, and refuses what does not', async () => {
  expect(prefillAttentionShape(64, 49152)).toBe(PREFILL_ATTENTION_SHAPES[0]);
  for (const headDim of [32, 64, 128]) {
    const shape = prefillAttentionShape(headDim, 16384);
    expect(prefillAttentionBytes(headDim, shape)).toBeLessThanOrEqual(16384);
  }
  expect(prefillAttentionBytes(256, prefillAttentionShape(256, 32768))).toBeLessThanOrEqual(32768);
  expect(() => prefillAttentionShape(256, 16384)).toThrow('heads of 256');
  const sizes = { heads: 1, kvHeads: 1, headDim: 8, cache: 'f32' } as const;
  const attention = await PrefillAttention.create(test.gpu, sizes);
  const t = test.gpu.alloc('t', 1024);
  const span = { tokens: 5, firstPosition: 0, capacity: 4, slot: 0 };
  expect(() => attention.record(test.gpu.recorder(), { qkv: t, keys: t, values: t, out: t }, span)).toThrow(
    '5 tokens at once for a cache of 4',
  );
});
