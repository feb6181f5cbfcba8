/** @file Linear layers and the matrix product beneath them, against float64 sums on the CPU. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu, Tensor } from '../../../src/gpu/gpu';
import { ColumnSum, columnSumScratchBytes } from '../../../src/nn/train/column-sum';
import { Linear, scratchBytes } from '../../../src/nn/train/linear';
import {
  FLAT_TILE,
  GPU_TILES,
  Matmul,
  matmulPartialBytes,
  matmulSplit,
  matmulVariant,
  SOFTWARE_TILE,
} from '../../../src/nn/train/matmul';
import { openTestGpu } from '../../support/gpu';
import { quickly } from '../../support/quick';

let gpu: Gpu;
const seed = Math.floor(Math.random() * 2 ** 31);
let state = seed;

/** mulberry32; uniform in [−1, 1) and, so that a lost factor or row shows, not centred on 0. */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 0.9;
}
const randoms = (n: number): Float32Array => Float32Array.from({ length: n }, random);

/** C [rows, columns] = Σ_d a(row, d)·b(column, d), in float64. */
function product(
  rows: number,
  columns: number,
  depth: number,
  a: (row: number, d: number) => number,
  b: (column: number, d: number) => number,
): Float64Array {
  const c = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let d = 0; d < depth; d++) sum += a(i, d) * b(j, d);
      c[i * columns + j] = sum;
    }
  }
  return c;
}

const at = (m: Float32Array, stride: number) => (line: number, i: number) => m[line * stride + i]!;
const transposed = (m: Float32Array, stride: number) => (i: number, line: number) => m[line * stride + i]!;

/** ‖out − ref‖ / ‖ref‖; NaN, and so a failure, when anything is NaN. */
function relativeError(out: Float32Array, ref: ArrayLike<number>): number {
  let error = 0;
  let norm = 0;
  for (let i = 0; i < ref.length; i++) {
    error += (out[i]! - ref[i]!) ** 2;
    norm += ref[i]! ** 2;
  }
  return Math.sqrt(error / norm);
}

function tensor(label: string, data: Float32Array): Tensor {
  const t = gpu.alloc(label, data.byteLength);
  gpu.write(t, data);
  return t;
}
const poison = (n: number): Float32Array => new Float32Array(n).fill(NaN);
const plus = (a: Float32Array, b: Float64Array): Float64Array => b.map((v, i) => v + a[i]!);

beforeAll(async () => {
  gpu = await openTestGpu();
  console.log(`linear.test.ts: seed ${seed} on ${gpu.description}, software: ${gpu.isSoftware}`);
});
afterAll(() => gpu.destroy());

describe('matmul', () => {
  const orders = [
    { name: 'x·Wᵀ', depthMajorA: false, depthMajorB: false },
    { name: 'dy·W', depthMajorA: false, depthMajorB: true },
    { name: 'dyᵀ·x', depthMajorA: true, depthMajorB: true },
  ];
  const tiles = [...GPU_TILES, FLAT_TILE, SOFTWARE_TILE];
  const vec4 = { rows: 132, columns: 140, depth: 52 };
  const odd = { rows: 131, columns: 67, depth: 37 };
  const mixed = { rows: 131, columns: 68, depth: 37 };

  // Emulated GPUs take seconds to compile a tiled variant, so the other tiles share the orders between them.
  const everyWay = [SOFTWARE_TILE, GPU_TILES[2]!];
  const cases = [
    ...everyWay.flatMap((tile) =>
      orders.flatMap((order) => [vec4, odd, mixed].map((shape) => ({ tile, order, shape }))),
    ),
    ...tiles
      .map((tile, i) => ({ tile, order: orders[i % 3]!, shape: vec4 }))
      .filter(({ tile }) => !everyWay.includes(tile)),
  ];

  for (const { tile, order, shape } of quickly(12, cases)) {
    const { rows, columns, depth } = shape;
    const name = `${tile.rows}×${tile.columns} ${tile.direct ? 'direct' : 'tile'}`;
    it(`${order.name} of ${rows}×${columns}×${depth} with a ${name}`, async () => {
      const a = randoms(rows * depth);
      const b = randoms(columns * depth);
      const matmul = await Matmul.create(gpu, { ...shape, ...order, tile });
      const out = tensor('c', poison(rows * columns + 8));
      const recorder = gpu.recorder();
      matmul.record(recorder, { a: tensor('a', a), b: tensor('b', b), c: out, rows, depth });
      const read = recorder.read(out);
      recorder.submit();
      const result = new Float32Array(await read);
      const left = order.depthMajorA ? transposed(a, rows) : at(a, depth);
      const right = order.depthMajorB ? transposed(b, columns) : at(b, depth);
      expect(relativeError(result, product(rows, columns, depth, left, right))).toBeLessThan(1e-5);
      expect(result.slice(rows * columns, rows * columns + 8)).toEqual(poison(8));
    });
  }

  it('uses large tiles for large products, and never more memory or threads than WebGPU guarantees', () => {
    const hardware = { isSoftware: false };
    expect(matmulVariant({ rows: 32768, columns: 768, depth: 128 }, hardware)).toBe(GPU_TILES[0]);
    expect(matmulVariant({ rows: 256, columns: 128, depth: 128 }, hardware)).toBe(GPU_TILES.at(-1));
    expect(matmulVariant({ rows: 1, columns: 384, depth: 128 }, hardware)).toBe(FLAT_TILE);
    for (const tile of tiles) {
      expect(4 * tile.depth * (tile.rows + tile.columns)).toBeLessThanOrEqual(16384);
      expect((tile.rows / tile.threadRows) * (tile.columns / tile.threadColumns)).toBeLessThanOrEqual(256);
    }
  });

  it('splits cover the depth once and stay within the bytes it announced', () => {
    for (const tile of GPU_TILES) {
      for (const [rows, columns] of [
        [384, 128],
        [64, 128],
        [768, 128],
        [96, 33],
        [9000, 1000],
      ] as const) {
        const announced = matmulPartialBytes({ rows, columns, depth: 33000 }, tile);
        expect(announced).toBeLessThanOrEqual(32 * 2 ** 20);
        for (let depth = 1; depth <= 33000; depth += 97) {
          const { splits, chunk } = matmulSplit({ rows, columns, depth }, tile);
          expect(chunk % tile.depth).toBe(0);
          expect((splits - 1) * chunk).toBeLessThan(depth);
          expect(splits * chunk).toBeGreaterThanOrEqual(depth);
          if (splits > 1) expect(4 * splits * rows * columns).toBeLessThanOrEqual(announced);
        }
      }
    }
  });
});

describe('column sums', () => {
  it('adds the rows, in shares or at once', async () => {
    const columnSum = await ColumnSum.create(gpu);
    for (const [rows, columns] of [
      [1, 5],
      [333, 70],
      [2000, 3],
    ] as const) {
      const x = randoms(rows * columns);
      const before = randoms(columns);
      const outs = [tensor('sum', before), tensor('add', before)] as const;
      const scratch = gpu.alloc('scratch', columnSumScratchBytes(rows, columns));
      const recorder = gpu.recorder();
      const input = tensor('x', x);
      columnSum.sum(recorder, { x: input, out: outs[0], scratch }, rows, columns);
      columnSum.add(recorder, input, outs[1], rows, columns);
      const reads = outs.map((out) => recorder.read(out));
      recorder.submit();
      const ref = plus(
        before,
        product(columns, 1, rows, transposed(x, columns), () => 1),
      );
      for (const read of reads) expect(relativeError(new Float32Array(await read), ref)).toBeLessThan(1e-5);
    }
  });
});

describe('linear', () => {
  interface Case {
    inFeatures: number;
    outFeatures: number;
    rows: number;
    bias: boolean;
    accumulate: boolean;
  }
  const cases: Case[] = [
    { inFeatures: 128, outFeatures: 64, rows: 70, bias: false, accumulate: false },
    { inFeatures: 64, outFeatures: 96, rows: 1, bias: true, accumulate: true },
    { inFeatures: 96, outFeatures: 33, rows: 13, bias: true, accumulate: false },
    { inFeatures: 30, outFeatures: 64, rows: 301, bias: true, accumulate: true },
    { inFeatures: 17, outFeatures: 5, rows: 700, bias: false, accumulate: true },
  ];

  /** Runs forward and backward once; buffers hold more rows than are used, and those rows are NaN. */
  async function run(
    { inFeatures: k, outFeatures: n, rows, bias, accumulate }: Case,
    data: Record<string, Float32Array>,
  ) {
    const options = { inFeatures: k, outFeatures: n, bias, maxRows: rows + 3 };
    const scratch = gpu.alloc('scratch', scratchBytes(options, gpu));
    gpu.write(scratch, poison(scratch.size / 4));
    const linear = await Linear.create(gpu, { ...options, scratch });
    const t = Object.fromEntries(Object.entries(data).map(([name, values]) => [name, tensor(name, values)]));
    const recorder = gpu.recorder();
    linear.forward(recorder, { x: t.x!, weight: t.weight!, bias: bias ? t.bias! : null, y: t.y!, accumulate }, rows);
    const gradients = { dx: t.dx!, accumulateDx: accumulate, dWeight: t.dWeight!, dBias: bias ? t.dBias! : null };
    linear.backward(recorder, { x: t.x!, weight: t.weight!, dy: t.dy! }, gradients, rows);
    const reads = (['y', 'dx', 'dWeight', 'dBias'] as const).map(
      async (name) => [name, new Float32Array(await recorder.read(t[name]!))] as const,
    );
    recorder.submit();
    const results = Object.fromEntries(await Promise.all(reads)) as Record<
      'y' | 'dx' | 'dWeight' | 'dBias',
      Float32Array
    >;
    gpu.free(scratch, ...Object.values(t));
    return results;
  }

  function makeData({ inFeatures: k, outFeatures: n, rows, accumulate }: Case) {
    const ragged = (width: number) => Float32Array.from([...randoms(rows * width), ...poison(3 * width)]);
    return {
      x: ragged(k),
      dy: ragged(n),
      weight: randoms(n * k),
      bias: randoms(n),
      y: accumulate ? ragged(n) : poison((rows + 3) * n),
      dx: accumulate ? ragged(k) : poison((rows + 3) * k),
      dWeight: randoms(n * k),
      dBias: randoms(n),
    };
  }

  for (const c of cases) {
    const { inFeatures: k, outFeatures: n, rows } = c;
    it(`${rows} rows of ${k} → ${n}${c.bias ? ' with bias' : ''}${c.accumulate ? ', accumulating' : ''}`, async () => {
      const data = makeData(c);
      const out = await run(c, data);

      const y = product(rows, n, k, at(data.x, k), at(data.weight, k));
      if (c.bias) y.forEach((v, i) => (y[i] = v + data.bias[i % n]!));
      const dx = product(rows, k, n, at(data.dy, n), transposed(data.weight, k));
      const dWeight = product(n, k, rows, transposed(data.dy, n), transposed(data.x, k));
      const dBias = product(n, 1, rows, transposed(data.dy, n), () => 1);
      expect(relativeError(out.y, c.accumulate ? plus(data.y, y) : y)).toBeLessThan(1e-5);
      expect(relativeError(out.dx, c.accumulate ? plus(data.dx, dx) : dx)).toBeLessThan(1e-5);
      expect(relativeError(out.dWeight, plus(data.dWeight, dWeight))).toBeLessThan(1e-5);
      if (c.bias) expect(relativeError(out.dBias, plus(data.dBias, dBias))).toBeLessThan(1e-5);
      else expect(out.dBias.slice(0, n)).toEqual(data.dBias);
      expect(out.y.slice(rows * n, (rows + 3) * n)).toEqual(poison(3 * n));
      expect(out.dx.slice(rows * k, (rows + 3) * k)).toEqual(poison(3 * k));

      expect(await run(c, data)).toEqual(out);
    });
  }

  it('refuses too many rows, a missing bias and a small scratch', async () => {
    const options = { inFeatures: 8, outFeatures: 8, bias: true, maxRows: 4 };
    const linear = await Linear.create(gpu, options);
    const t = gpu.alloc('t', 1024);
    const recorder = gpu.recorder();
    expect(() => linear.forward(recorder, { x: t, weight: t, bias: t, y: t }, 5)).toThrow('made for 4 rows');
    expect(() => linear.forward(recorder, { x: t, weight: t, y: t }, 4)).toThrow('needs its bias');
    const small = Linear.create(gpu, { ...options, maxRows: 4096, scratch: gpu.alloc('small', 16) });
    await expect(small).rejects.toThrow('small holds 16 bytes');
  });

  it('leaves the gradient of the input out when it is not wanted', async () => {
    const options = { inFeatures: 8, outFeatures: 4, bias: false, maxRows: 3 };
    const linear = await Linear.create(gpu, options);
    const [dy, x] = [randoms(12), randoms(24)];
    const dWeight = tensor('dWeight', new Float32Array(32));
    const recorder = gpu.recorder();
    const gradients = { dx: null, dWeight, dBias: null };
    const forward = { x: tensor('x', x), weight: tensor('weight', randoms(32)), dy: tensor('dy', dy) };
    linear.backward(recorder, forward, gradients, 3);
    expect(recorder.dispatches).toBe(1);
    const read = recorder.read(dWeight);
    recorder.submit();
    const ref = product(4, 8, 3, transposed(dy, 4), transposed(x, 8));
    expect(relativeError(new Float32Array(await read), ref)).toBeLessThan(1e-5);
  });
});
