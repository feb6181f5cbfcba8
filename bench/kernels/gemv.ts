/**
 * @file How fast is the product of a few tokens with the matrices of a model? Each product is repeated in one submission,
 * each repeat on another copy of the matrix, so that weights come from memory and not from a cache; repeats depend on
 * each other as a decoder's do.
 */
import type { DecoderConfig } from '../../src/formats/hf/hf-config';
import type { Gpu, Tensor } from '../../src/gpu/gpu';
import type { Recorder } from '../../src/gpu/recorder';
import { Gemv, gemvVariant, type GemvShape, type GemvVariant } from '../../src/nn/infer/gemv';
import { packedRowBytes, type PackedMatrix, type WeightKind } from '../../src/nn/infer/packed';
import { median } from '../statistics';

export interface GemvRow {
  product: string;
  kind: WeightKind;
  tokens: number;
  inFeatures: number;
  rows: number;
  lanes: number;
  results: number;
  groups: number;
  chosen: boolean;
  microseconds: number;
  gigabytesPerSecond: number;
}

export interface BenchGemvOptions {
  /** The model whose matrices are measured. */
  config: DecoderConfig;
  kinds?: readonly WeightKind[];
  /** How many at once. */
  tokens?: readonly number[];
  /** Measure other ways to share out a product besides the chosen one. */
  sweep?: boolean;
  repeats?: number;
}

/** Names of the measurements: an empty dispatch, a layer's products, the head. */
function productsOf(config: DecoderConfig): (Omit<GemvShape, 'kind'> & { product: string })[] {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, rms_norm_eps: epsilon } = config;
  const norm = { epsilon };
  const width = (heads + 2 * kvHeads) * headDim;
  return [
    { product: 'nothing', inFeatures: 256, outFeatures: 4 },
    { product: 'qkv', inFeatures: hidden, outFeatures: width, norm, bias: config.qkv_bias },
    { product: 'out', inFeatures: heads * headDim, outFeatures: hidden, accumulate: true },
    { product: 'gate, up', inFeatures: hidden, outFeatures: intermediate, norm, activation: 'swiglu' },
    { product: 'down', inFeatures: intermediate, outFeatures: hidden, accumulate: true },
    { product: 'head', inFeatures: hidden, outFeatures: vocab, norm },
  ];
}
/** More than a cache holds. */
const COLD_BYTES = 192 * 2 ** 20;
/** An H200 takes about a second to reach its clock, and some time after every pause: between products there is one. */
const WARM_UP_MS = { first: 1200, product: 250, each: 20 };

/** @throws Error when the GPU has no timestamps. */
export async function benchGemv(
  gpu: Gpu,
  {
    config,
    kinds = ['q4_0', 'q4_k', 'q8_0', 'f16'],
    tokens = [1, 2, 4, 8],
    sweep = false,
    repeats = 100,
  }: BenchGemvOptions,
): Promise<GemvRow[]> {
  if (!gpu.features.timestamps) throw new Error('bench gemv needs a GPU with timestamp-query');
  const rows: GemvRow[] = [];
  for (const kind of kinds) {
    for (const { product, ...shape } of productsOf(config)) {
      const tried = tokens.flatMap((count) => {
        const best = gemvVariant({ ...shape, kind }, count, gpu);
        const more = sweep && product !== 'nothing' ? others(best, shape.activation !== undefined) : [];
        return [best, ...more].map((variant) => ({ count, variant, chosen: variant === best }));
      });
      // Before anything is timed: while kernels are compiled, the GPU idles and slows down.
      const gemvs = await Promise.all(
        tried.map(({ count, variant }) => Gemv.create(gpu, { ...shape, kind, tokens: [count], variant })),
      );
      const matrices = coldCopies(gpu, kind, shape.inFeatures, shape.outFeatures * (shape.activation ? 2 : 1));
      const most = Math.max(...tokens);
      const buffers = {
        x: gpu.alloc('x', most * 4 * shape.inFeatures),
        y: gpu.alloc('y', most * 4 * shape.outFeatures),
        norm: gpu.alloc('norm', 4 * shape.inFeatures),
        bias: gpu.alloc('bias', 4 * 2 * shape.outFeatures),
      };
      const bytes = matrices[0]!.rows * packedRowBytes(kind, shape.inFeatures);
      for (const [i, { count, variant, chosen }] of tried.entries()) {
        const warmUp = WARM_UP_MS[rows.length === 0 ? 'first' : i === 0 ? 'product' : 'each'];
        const times = product === 'head' ? Math.ceil(repeats / 4) : repeats;
        const microseconds = await time(gpu, gemvs[i]!, { buffers, matrices, tokens: count, repeats: times, warmUp });
        rows.push({
          product,
          kind,
          tokens: count,
          inFeatures: shape.inFeatures,
          rows: matrices[0]!.rows,
          ...variant,
          chosen,
          microseconds,
          gigabytesPerSecond: bytes / microseconds / 1e3,
        });
      }
      gpu.free(...Object.values<Tensor>(buffers), ...matrices.map((matrix) => matrix.parts[0]!.tensor));
    }
  }
  return rows;
}

/** Other ways to share out a product. */
function others(best: GemvVariant, paired: boolean): GemvVariant[] {
  const variants: GemvVariant[] = [];
  for (const lanes of [16, 32, 64]) {
    for (const threads of [256]) {
      for (const results of paired ? [1, 2] : [1, 2, 4]) variants.push({ lanes, results, groups: threads / lanes });
    }
  }
  const isBest = (v: GemvVariant) => v.lanes === best.lanes && v.results === best.results && v.groups === best.groups;
  return variants.filter((v) => !isBest(v));
}

/** Copies of a matrix, together too large for any cache; zeros take as long as anything. */
function coldCopies(gpu: Gpu, kind: WeightKind, columns: number, rows: number): PackedMatrix[] {
  const bytes = rows * packedRowBytes(kind, columns);
  const copies = Math.min(64, Math.max(2, Math.ceil(COLD_BYTES / bytes)));
  return Array.from({ length: copies }, () => ({
    kind,
    rows,
    columns,
    parts: [{ tensor: gpu.alloc('weights', bytes), firstRow: 0, rows }],
  }));
}

interface TimedRun {
  buffers: Record<'x' | 'y' | 'norm' | 'bias', Tensor>;
  /** Taken in turn. */
  matrices: PackedMatrix[];
  tokens: number;
  repeats: number;
  /** Milliseconds. */
  warmUp: number;
}

async function time(gpu: Gpu, gemv: Gemv, { buffers, matrices, tokens, repeats, warmUp }: TimedRun): Promise<number> {
  const record = (recorder: Recorder) => {
    for (let i = 0; i < repeats; i++) {
      gemv.record(recorder, { ...buffers, weight: matrices[i % matrices.length]! }, tokens);
    }
  };
  for (const start = performance.now(); performance.now() - start < warmUp;) {
    const recorder = gpu.recorder();
    for (let round = 0; round < 4; round++) record(recorder);
    recorder.submit();
    await gpu.device.queue.onSubmittedWorkDone();
  }
  const recorder = gpu.recorder({ profile: 'phase' });
  for (let round = 0; round < 5; round++) {
    recorder.phase(`${round}`);
    record(recorder);
  }
  recorder.submit();
  const { milliseconds } = await recorder.timings();
  return (1000 * median(Object.values(milliseconds))) / repeats;
}

/** The rows as a table for the terminal. */
export function formatGemv(rows: readonly GemvRow[]): string {
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padStart([6, 9, 7, 14, 20, 8, 7][i]!)).join(' ');
  return [
    line(['kind', 'product', 'tokens', 'in→rows', 'lanes, rows, groups', 'µs', 'GB/s']),
    ...rows.map((r) =>
      line([
        r.kind,
        r.product,
        `${r.tokens}`,
        `${r.inFeatures}→${r.rows}`,
        `${r.lanes}, ${r.results}, ${r.groups}${r.chosen ? '' : ' ·'}`,
        r.microseconds.toFixed(2),
        r.gigabytesPerSecond.toFixed(0),
      ]),
    ),
  ].join('\n');
}
