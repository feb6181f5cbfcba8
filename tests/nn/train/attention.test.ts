/** @file Ragged attention and its gradients against their definition in float64, and that against finite differences. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../../src/gpu/gpu';
import {
  Attention,
  ATTENTION_SHAPES,
  attentionShape,
  attentionWorkgroupBytes,
  type AttentionShape,
} from '../../../src/nn/train/attention';
import { attentionTiles, packGroups, TILE_WORDS, type Segment } from '../../../src/nn/train/ragged';
import { rng } from '../../../src/base/rng';
import { openTestGpu } from '../../support/gpu';
import { quickly } from '../../support/quick';
import { attentionBackward, attentionForward, type AttentionSizes } from './attention-reference';

let gpu: Gpu;
const seed = Math.floor(Math.random() * 2 ** 31);
const random = rng(seed);

beforeAll(async () => {
  console.log(`attention.test.ts: seed ${seed}`);
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

/** Wide enough that softmax is neither flat nor one-hot, and not centred on 0, so that a lost term shows. */
const randoms = (n: number, scale = 1): Float32Array =>
  Float32Array.from({ length: n }, () => scale * (2 * random.next() - 0.9));

/** Segments of groups given as [prompt length, ...completion lengths]. */
const pack = (groups: number[][]): Segment[] =>
  packGroups(
    groups.map(([prefix, ...completions]) => ({
      prefix: new Array<number>(prefix!).fill(0),
      completions: completions.map((length) => new Array<number>(length).fill(0)),
    })),
  ).segments;

const tokensOf = (segments: Segment[]) => Math.max(...segments.map(({ end }) => end));

function relativeError(out: ArrayLike<number>, ref: ArrayLike<number>): number {
  let error = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    error += (out[i]! - ref[i]!) ** 2;
    norm += ref[i]! ** 2;
  }
  return Math.sqrt(error / norm);
}

/** Rows beyond the batch, which the kernels must leave alone. */
const GUARD_ROWS = 2;

/** Runs both passes into poisoned buffers and checks that nothing was written behind the batch. */
async function run(
  sizes: AttentionSizes,
  segments: Segment[],
  qkv: Float32Array,
  dOut: Float32Array,
  shape?: AttentionShape,
) {
  const attention = await Attention.create(gpu, shape ? { ...sizes, shape } : sizes);
  const words = attentionTiles(segments, attention.shape.tile);
  const tokens = tokensOf(segments);
  const { heads, kvHeads, headDim } = sizes;
  const filled = (label: string, data: ArrayBufferView) => {
    const tensor = gpu.alloc(label, data.byteLength);
    gpu.write(tensor, data);
    return tensor;
  };
  const poisoned = (label: string, columns: number) =>
    filled(label, new Float32Array((tokens + GUARD_ROWS) * columns).fill(NaN));
  const inputs = { qkv: filled('qkv', qkv), tiles: filled('tiles', words), tileCount: words.length / TILE_WORDS };
  const outputs = { out: poisoned('out', heads * headDim), lse: poisoned('lse', heads) };
  const gradients = {
    dOut: filled('dOut', dOut),
    delta: poisoned('delta', heads),
    dQkv: poisoned('dQkv', (heads + 2 * kvHeads) * headDim),
  };
  const recorder = gpu.recorder();
  attention.forward(recorder, inputs, outputs);
  attention.backward(recorder, inputs, outputs, gradients);
  const reads = [outputs.out, outputs.lse, gradients.dQkv].map((tensor) => recorder.read(tensor));
  recorder.submit();
  const [out, lse, dQkv] = (await Promise.all(reads)).map((data) => new Float32Array(data));
  gpu.free(...Object.values(outputs), ...Object.values(gradients), inputs.qkv, inputs.tiles);
  const withoutGuard = (data: Float32Array, columns: number) => {
    expect(data.subarray(tokens * columns, (tokens + GUARD_ROWS) * columns).every(Number.isNaN)).toBe(true);
    return data.subarray(0, tokens * columns);
  };
  return {
    out: withoutGuard(out!, heads * headDim),
    lse: withoutGuard(lse!, heads),
    dQkv: withoutGuard(dQkv!, (heads + 2 * kvHeads) * headDim),
  };
}

const inputsFor = (sizes: AttentionSizes, segments: Segment[]) => {
  const tokens = tokensOf(segments);
  return {
    qkv: randoms(tokens * (sizes.heads + 2 * sizes.kvHeads) * sizes.headDim, 1.5),
    dOut: randoms(tokens * sizes.heads * sizes.headDim),
  };
};

/** d_qkv as its three parts, whose sizes differ. */
function parts(dQkv: ArrayLike<number>, { heads, kvHeads, headDim }: AttentionSizes) {
  const row = (heads + 2 * kvHeads) * headDim;
  const columns = (from: number, to: number) =>
    Array.from(dQkv).filter((_, i) => i % row >= from * headDim && i % row < to * headDim);
  return {
    query: columns(0, heads),
    key: columns(heads, heads + kvHeads),
    value: columns(heads + kvHeads, heads + 2 * kvHeads),
  };
}

async function expectAgreement(sizes: AttentionSizes, segments: Segment[], shape?: AttentionShape): Promise<void> {
  const { qkv, dOut } = inputsFor(sizes, segments);
  const got = await run(sizes, segments, qkv, dOut, shape);
  const forward = attentionForward(qkv, segments, sizes);
  expect(relativeError(got.out, forward.out), 'out').toBeLessThan(1e-5);
  expect(relativeError(got.lse, forward.lse), 'lse').toBeLessThan(1e-5);
  const gradients = parts(got.dQkv, sizes);
  const wanted = parts(attentionBackward(qkv, dOut, segments, sizes), sizes);
  for (const part of ['query', 'key', 'value'] as const) {
    expect(relativeError(gradients[part], wanted[part]), `d_${part}`).toBeLessThan(1e-5);
  }
}

describe('the float64 reference', () => {
  const sizes = { heads: 2, kvHeads: 1, headDim: 4 };

  it('has the gradients that finite differences give', () => {
    const segments = pack([
      [3, 4, 1],
      [0, 3],
    ]);
    const { qkv, dOut } = inputsFor(sizes, segments);
    const gradient = attentionBackward(qkv, dOut, segments, sizes);
    const loss = (at: Float64Array) =>
      attentionForward(at, segments, sizes).out.reduce((sum, value, i) => sum + value * dOut[i]!, 0);
    const numeric = Float64Array.from(qkv, (_, i) => {
      const nudged = Float64Array.from(qkv);
      nudged[i]! += 1e-5;
      const above = loss(nudged);
      nudged[i]! -= 2e-5;
      return (above - loss(nudged)) / 2e-5;
    });
    expect(relativeError(gradient, numeric)).toBeLessThan(1e-8);
  });

  it('gives a completion behind a shared prompt what it gives the two as one sequence', () => {
    const group = pack([[5, 4, 3]]);
    const { qkv } = inputsFor(sizes, group);
    const grouped = attentionForward(qkv, group, sizes).out;
    const row = (sizes.heads + 2 * sizes.kvHeads) * sizes.headDim;
    const outRow = sizes.heads * sizes.headDim;
    const alone = new Float32Array([...qkv.subarray(0, 5 * row), ...qkv.subarray(9 * row, 12 * row)]);
    const sequence = attentionForward(alone, pack([[0, 8]]), sizes).out;
    expect([...grouped.subarray(9 * outRow)]).toEqual([...sequence.subarray(5 * outRow)]);
  });
});

describe('the kernels agree with the reference', () => {
  const mixed = [
    [9, 20, 1, 33, 5],
    [0, 40],
    [0, 1],
    [35, 3, 17],
  ];

  it.each(quickly(1, [32, 16, 64, 128]))('heads of %i', (headDim) =>
    expectAgreement({ heads: 2, kvHeads: 2, headDim }, pack(mixed)),
  );

  it.each(quickly(1, [20, 100]))('heads of %i, which do not fill the lanes', (headDim) =>
    expectAgreement(
      { heads: 1, kvHeads: 1, headDim },
      pack([
        [7, 18, 2],
        [0, 35],
      ]),
    ),
  );

  it.each(
    quickly(1, [
      [4, 2],
      [3, 1],
    ] as const),
  )('%i query heads on %i key heads', (heads, kvHeads) =>
    expectAgreement(
      { heads, kvHeads, headDim: 16 },
      pack([
        [9, 20, 33],
        [0, 19],
      ]),
    ),
  );

  it.each(quickly(1, ATTENTION_SHAPES))('tile $tile, chunk $chunk', (shape) =>
    expectAgreement(
      { heads: 2, kvHeads: 1, headDim: 16 },
      pack([
        [33, 40, 1, 70],
        [0, 65],
      ]),
      shape,
    ),
  );

  it('segments of exactly a tile, and of one more', () =>
    expectAgreement(
      { heads: 1, kvHeads: 1, headDim: 32 },
      pack([
        [32, 32, 33],
        [0, 64],
        [0, 31],
        [1, 1],
      ]),
    ));

  it('one token that sees itself alone, whose weight has no gradient', async () => {
    const sizes = { heads: 2, kvHeads: 1, headDim: 32 };
    const segments = pack([[0, 1]]);
    const { qkv, dOut } = inputsFor(sizes, segments);
    const { out, dQkv } = await run(sizes, segments, qkv, dOut);
    const { query, key, value } = parts(dQkv, sizes);
    const own = [...qkv.subarray(3 * 32)];
    expect(relativeError(out, [...own, ...own])).toBeLessThan(1e-6);
    expect(relativeError(value, parts(attentionBackward(qkv, dOut, segments, sizes), sizes).value)).toBeLessThan(1e-5);
    for (const gradient of [...query, ...key]) expect(Math.abs(gradient)).toBeLessThan(1e-4);
  });

  it('random groups', async () => {
    const groups = Array.from({ length: 3 }, () => [
      random.int(0, 40),
      ...Array.from({ length: random.int(1, 4) }, () => random.int(1, 50)),
    ]);
    await expectAgreement({ heads: 4, kvHeads: 2, headDim: 32 }, pack(groups));
  });

  it('scores in the hundreds, whose exponentials overflow without a running maximum', async () => {
    const sizes = { heads: 1, kvHeads: 1, headDim: 32 };
    const segments = pack([[20, 30, 45]]);
    const { qkv, dOut } = inputsFor(sizes, segments);
    const large = qkv.map((x) => 12 * x);
    const { out, lse } = await run(sizes, segments, large, dOut);
    const forward = attentionForward(large, segments, sizes);
    expect(Math.max(...forward.lse)).toBeGreaterThan(100);
    // Scores have absolute errors in proportion to their size, and so relative errors in their exponentials.
    expect(relativeError(out, forward.out)).toBeLessThan(1e-3);
    expect(relativeError(lse, forward.lse)).toBeLessThan(1e-5);
  });
});

it('gives the same bits when repeated', async () => {
  const sizes = { heads: 4, kvHeads: 2, headDim: 32 };
  const segments = pack([
    [9, 20, 33],
    [0, 40],
  ]);
  const { qkv, dOut } = inputsFor(sizes, segments);
  const [first, second] = [await run(sizes, segments, qkv, dOut), await run(sizes, segments, qkv, dOut)];
  expect(second).toEqual(first);
});

it('records nothing for no tiles', async () => {
  const recorder = gpu.recorder();
  const attention = await Attention.create(gpu, { heads: 4, kvHeads: 2, headDim: 32 });
  const tensor = gpu.alloc('empty', 16);
  attention.forward(recorder, { qkv: tensor, tiles: tensor, tileCount: 0 }, { out: tensor, lse: tensor });
  expect(recorder.dispatches).toBe(0);
  gpu.free(tensor);
});

describe('the choice of a shape', () => {
  it('takes the fastest that fits, and never more than 32 KiB', () => {
    expect(attentionShape(32, 16384)).toEqual({ tile: 16, chunk: 16 });
    expect(attentionShape(128, 32768)).toEqual({ tile: 16, chunk: 8 });
    for (const headDim of [4, 32, 64, 100, 128]) {
      expect(attentionWorkgroupBytes(headDim, attentionShape(headDim, 2 ** 20))).toBeLessThanOrEqual(32768);
    }
  });

  it('refuses, with the number, where nothing fits', () => {
    expect(() => attentionShape(128, 16384)).toThrow(/heads of 128 needs \d+ bytes .* has 16384/);
  });

  it('refuses heads that the kernels do not cover', async () => {
    await expect(Attention.create(gpu, { heads: 2, kvHeads: 2, headDim: 18 })).rejects.toThrow(RangeError);
    await expect(Attention.create(gpu, { heads: 2, kvHeads: 2, headDim: 132 })).rejects.toThrow(RangeError);
    await expect(Attention.create(gpu, { heads: 3, kvHeads: 2, headDim: 16 })).rejects.toThrow(RangeError);
  });
});
