/**
 * @file How fast are the matrix products of a linear layer? GPU time of forward, dx and dW at the tiny model's shapes,
 * for each tile that could be chosen. `chosen` marks the tile that `matmulVariant` takes.
 */
import { type Gpu, type Tensor } from '../../src/gpu/gpu';
import { ColumnSum } from '../../src/nn/train/column-sum';
import {
  FLAT_TILE,
  GPU_TILES,
  Matmul,
  matmulPartialBytes,
  matmulSplit,
  matmulVariant,
  type MatmulOptions,
  type MatmulTile,
} from '../../src/nn/train/matmul';

export interface MatmulRow {
  product: 'forward' | 'dx' | 'dW';
  rows: number;
  inFeatures: number;
  outFeatures: number;
  /** rows × columns × depth of a workgroup's tile, and how often the depth is split. */
  tile: string;
  splits: number;
  chosen: boolean;
  /** Median of the repeats, with the sum of partial products where there is one. */
  microseconds: number;
  gflops: number;
  /** Counting the bytes of A, B and C once each. */
  gigabytesPerSecond: number;
}

export interface BenchMatmulOptions {
  /** Tokens. */
  rows?: number;
  repeats?: number;
  /** [inFeatures, outFeatures]; the tiny model's by default. */
  layers?: readonly (readonly [number, number])[];
  /** Measure every tile instead of the chosen one alone. */
  sweep?: boolean;
}

/** qkv, attention output, gate and up, down, head. */
const TINY_LAYERS = [
  [128, 384],
  [128, 128],
  [128, 768],
  [384, 128],
  [128, 64],
] as const;

/** @throws Error when the GPU has no timestamps. */
export async function benchMatmul(
  gpu: Gpu,
  { rows = 8192, repeats = 20, layers = TINY_LAYERS, sweep = false }: BenchMatmulOptions = {},
): Promise<MatmulRow[]> {
  if (!gpu.features.timestamps) throw new Error('bench matmul needs a GPU with timestamp-query');
  const results: MatmulRow[] = [];
  for (const [inFeatures, outFeatures] of layers) {
    const x = gpu.alloc('x', 4 * rows * inFeatures);
    const y = gpu.alloc('y', 4 * rows * outFeatures);
    const weight = gpu.alloc('weight', 4 * inFeatures * outFeatures);
    for (const tensor of [x, y, weight]) gpu.write(tensor, noise(tensor.size / 4));
    const out = gpu.alloc('out', Math.max(x.size, y.size));
    const cases = [
      { product: 'forward', a: x, b: weight, shape: { rows, columns: outFeatures, depth: inFeatures } },
      { product: 'dx', a: y, b: weight, shape: { rows, columns: inFeatures, depth: outFeatures, depthMajorB: true } },
      {
        product: 'dW',
        a: y,
        b: x,
        shape: {
          rows: outFeatures,
          columns: inFeatures,
          depth: rows,
          depthMajorA: true,
          depthMajorB: true,
          split: true,
        },
      },
    ] as const;
    for (const { product, a, b, shape } of cases) {
      const { rows: m, columns: n, depth: k } = shape;
      const best = matmulVariant(shape, gpu, product === 'dW');
      for (const tile of sweep ? new Set([best, ...GPU_TILES, FLAT_TILE]) : [best]) {
        const { splits, microseconds } = await time(gpu, { ...shape, tile }, { a, b, c: out }, repeats);
        results.push({
          product,
          rows,
          inFeatures,
          outFeatures,
          tile: `${tile.rows}×${tile.columns}×${tile.depth} (${tile.threadRows}×${tile.threadColumns})`,
          splits,
          chosen: tile === best,
          microseconds,
          gflops: (2 * m * n * k) / microseconds / 1e3,
          gigabytesPerSecond: (4 * (m * k + n * k + m * n)) / microseconds / 1e3,
        });
      }
    }
    gpu.free(x, y, weight, out);
  }
  return results;
}

async function time(
  gpu: Gpu,
  options: MatmulOptions & { tile: MatmulTile },
  { a, b, c }: Record<'a' | 'b' | 'c', Tensor>,
  repeats: number,
): Promise<{ splits: number; microseconds: number }> {
  const { rows, columns, depth, split = false, tile } = options;
  const [matmul, columnSum] = await Promise.all([Matmul.create(gpu, options), ColumnSum.create(gpu)]);
  const plan = split ? matmulSplit(options, tile) : null;
  const scratch = gpu.alloc('scratch', Math.max(16, split ? matmulPartialBytes(options, tile) : 0));
  const recorder = gpu.recorder({ profile: 'kernel' });
  const warmUp = 3;
  for (let i = 0; i < warmUp + repeats; i++) {
    recorder.phase(`${i}`);
    if (plan && plan.splits > 1) {
      matmul.record(recorder, { a, b, c: scratch, rows, depth, split: plan });
      columnSum.add(recorder, scratch, c, plan.splits, rows * columns);
    } else {
      matmul.record(recorder, { a, b, c, rows, depth });
    }
  }
  recorder.submit();
  const { milliseconds } = await recorder.timings();
  gpu.free(scratch);
  const totals = new Array<number>(warmUp + repeats).fill(0);
  for (const [key, value] of Object.entries(milliseconds)) totals[Number.parseInt(key, 10)]! += value;
  const sorted = totals.slice(warmUp).sort((p, q) => p - q);
  return { splits: plan?.splits ?? 1, microseconds: 1000 * sorted[sorted.length >> 1]! };
}

/** Values that are not zero, so that nothing is faster than on real data. */
function noise(n: number): Float32Array {
  return Float32Array.from({ length: n }, (_, i) => ((i * 7919) % 1024) / 1024 - 0.5);
}

/** The rows as a table for the terminal. */
export function formatMatmul(rows: readonly MatmulRow[]): string {
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padStart([8, 7, 10, 22, 7, 9, 9, 7][i]!)).join(' ');
  return [
    line(['product', 'tokens', 'in→out', 'tile (thread)', 'splits', 'µs', 'GFLOP/s', 'GB/s']),
    ...rows.map((r) =>
      line([
        r.product,
        `${r.rows}`,
        `${r.inFeatures}→${r.outFeatures}`,
        `${r.tile}${r.chosen ? '' : ' ·'}`,
        `${r.splits}`,
        r.microseconds.toFixed(1),
        r.gflops.toFixed(0),
        r.gigabytesPerSecond.toFixed(0),
      ]),
    ),
  ].join('\n');
}
