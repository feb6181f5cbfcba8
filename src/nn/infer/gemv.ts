/**
 * @file Products of one to eight tokens with a packed matrix, with what surrounds them in a decoder layer fused in: the
 * norm before, and bias, residual addition or SwiGLU after. `gemvVariant` decides how a product is shared out.
 */
import type { Gpu, GpuFeatures, GpuTraits, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';
import { isFloat, weightFormats, type PackedMatrix, type WeightKind } from './packed';
import { weightConditions, weightConstants } from './packed-shader';

/** Tokens that one dispatch takes at most. */
export const GEMV_MAX_TOKENS = 8;

export interface GemvShape {
  kind: WeightKind;
  /** K, a multiple of 4. */
  inFeatures: number;
  /** Values in a line of y. */
  outFeatures: number;
  /** RMSNorm of x before the product. */
  norm?: { epsilon: number };
  bias?: boolean;
  /** Add to y instead of overwriting it. */
  accumulate?: boolean;
  /** The matrix has 2 × outFeatures rows, gates before ups; y = silu(gate) × up. */
  activation?: 'swiglu';
}

export interface GemvOptions extends GemvShape {
  /** How many tokens products will have: a kernel is compiled for each. */
  tokens: readonly number[];
  variant?: GemvVariant;
}

/** How a product is shared out. */
export interface GemvVariant {
  /** Invocations that share a row; 1: each makes two whole rows by itself, by `gemv_direct`. A power of two. */
  lanes: number;
  /** Rows, or with SwiGLU pairs of rows, that those invocations make at once; where lanes are 1, two rows or one pair. */
  results: number;
  /** How many such groups of lanes make up a workgroup. */
  groups: number;
}

/** The properties of a GPU on which the choice of a variant depends. */
type Adapter = GpuTraits & {
  readonly features: Pick<GpuFeatures, 'subgroups'>;
  readonly device: { readonly adapterInfo?: Pick<GPUAdapterInfo, 'subgroupMinSize'> };
};

/** Threads per workgroup. */
const THREADS = 256;
/** From this many results on there are plenty of workgroups; the head has many times as many. */
const MANY_ROWS = 8192;
/** From this many results on, four rows at once still leave enough workgroups for several tokens. */
const SOME_ROWS = 1024;
/** Lanes whose sums are added by shuffles, where subgroups are that large. */
const SHUFFLE_WIDTH = 32;

/** Weights in a chunk of shaders/infer/product/weight_chunks.wesl: 16 bytes of floats, or 32 quantised numbers. */
const chunkSize = (kind: WeightKind): number => (isFloat(kind) ? 16 / weightFormats[kind].bytes : 32);

/** Dense rows whose length is no multiple of a chunk are read four weights at a time. */
const isNarrow = ({ kind, inFeatures }: GemvShape): boolean => inFeatures % chunkSize(kind) !== 0;
/** Weights in a chunk of this matrix. */
const sizeOf = (shape: GemvShape): number => (isNarrow(shape) ? 4 : chunkSize(shape.kind));
/** The number of tokens that shaders/infer/product/gemv_tokens.wesl is compiled for: the next of 1, 2, 4 and 8. */
const placesOf = (tokens: number): 1 | 2 | 4 | 8 => (tokens > 4 ? 8 : tokens > 2 ? 4 : tokens > 1 ? 2 : 1);

/** The best variant on an H200 according to `bench gemv --sweep`; for emulated GPUs one without workgroup memory. */
export function gemvVariant(shape: GemvShape, tokens: number, adapter: Adapter): GemvVariant {
  if (adapter.isSoftware) return { lanes: 1, results: shape.activation ? 1 : 2, groups: 32 };
  const chunks = shape.inFeatures / sizeOf(shape);
  const many = shape.outFeatures >= MANY_ROWS;
  const several = tokens > 1;
  // Few rows leave many lanes for each.
  let lanes = chunks <= (many ? 256 : 64) ? 16 : several && !many ? 64 : chunks <= 512 ? 32 : 64;
  // At least LANES chunks of x must fit, beside the sums.
  const room = adapter.device.limits.maxComputeWorkgroupStorageSize;
  while (lanes > 8 && 4 * tokens * sizeOf(shape) * (lanes + 1) > room / 2) lanes /= 2;
  const results = several ? resultsOfSeveral(shape, tokens, lanes, chunks) : resultsOfOne(shape, lanes, chunks);
  const chosen = { lanes, results: shape.activation ? Math.min(2, results) : results, groups: THREADS / lanes };
  while (chosen.groups > 1 && gemvWorkgroupBytes(shape, tokens, chosen, adapter) > room) chosen.groups /= 2;
  return chosen;
}

// With several rows per lane x is read less often, but there are fewer workgroups.

function resultsOfOne({ outFeatures }: GemvShape, lanes: number, chunks: number): number {
  if (outFeatures >= 8 * MANY_ROWS || lanes === 64) return 4;
  return lanes === 32 && chunks > 256 ? 2 : 1;
}

/** Reading x is then most of the work, until its products fill the registers. */
function resultsOfSeveral(
  { outFeatures, activation }: GemvShape,
  tokens: number,
  lanes: number,
  chunks: number,
): number {
  if (activation) return tokens > 4 && lanes < 64 ? 1 : 2;
  if (lanes === 64) return outFeatures >= SOME_ROWS ? 4 : 2;
  return outFeatures < MANY_ROWS && chunks <= 64 ? 1 : 2;
}

/** Lanes that are added up by shuffles, and whether they are. */
function shuffles(lanes: number, { features, device }: Adapter): { width: number; hasShuffles: boolean } {
  const width = Math.min(lanes, SHUFFLE_WIDTH);
  return { width, hasShuffles: features.subgroups && (device.adapterInfo?.subgroupMinSize ?? 4) >= width };
}

/** Bytes of workgroup memory besides x: sums of squares, and sums of rows that shuffles don't add up. */
function sumBytes(shape: GemvShape, tokens: number, { lanes, results, groups }: GemvVariant, adapter: Adapter): number {
  const { width, hasShuffles } = shuffles(lanes, adapter);
  const rows = shape.activation ? 2 * results : results;
  const threads = lanes * groups;
  const each = 4 * placesOf(tokens);
  const squares = shape.norm ? each * (hasShuffles ? threads / width : threads) : 0;
  if (!hasShuffles) return squares + 4 * rows * threads;
  return squares + (width < lanes ? (each * rows * threads) / width : 0);
}

/** Chunks of x that lie in workgroup memory at a time: all of them, or as many as fit. */
function slabOf(shape: GemvShape, tokens: number, variant: GemvVariant, adapter: Adapter): number {
  const room = adapter.device.limits.maxComputeWorkgroupStorageSize - sumBytes(shape, tokens, variant, adapter);
  const unit = Math.max(8, variant.lanes);
  const chunks = Math.ceil(shape.inFeatures / sizeOf(shape) / unit) * unit;
  // One more makes the stride odd.
  const fitting = Math.floor((room / (4 * tokens * sizeOf(shape)) - 1) / unit) * unit;
  return Math.max(unit, Math.min(chunks, fitting));
}

/** Bytes of workgroup memory that the kernel takes. */
export function gemvWorkgroupBytes(shape: GemvShape, tokens: number, variant: GemvVariant, adapter: Adapter): number {
  const staged = 4 * tokens * sizeOf(shape) * (slabOf(shape, tokens, variant, adapter) + 1);
  return staged + sumBytes(shape, tokens, variant, adapter);
}

export interface GemvBuffers {
  /** f32 [tokens, inFeatures] */
  x: Tensor;
  weight: PackedMatrix;
  /** f32 [tokens, outFeatures] */
  y: Tensor;
  /** f32 [inFeatures] */
  norm?: Tensor;
  /** f32, one for each row of the matrix */
  bias?: Tensor;
}

export class Gemv {
  private constructor(
    private readonly shape: GemvShape,
    private readonly kernels: ReadonlyMap<number, { kernel: Kernel; resultsPerGroup: number }>,
  ) {}

  static async create(gpu: Gpu, { tokens, variant, ...shape }: GemvOptions): Promise<Gemv> {
    if (shape.activation && shape.accumulate) throw new Error('SwiGLU overwrites y');
    const kernels = await Promise.all(
      [...new Set(tokens)].map(async (count) => {
        if (count < 1 || count > GEMV_MAX_TOKENS) throw new RangeError(`Gemv takes 1 to 8 tokens, not ${count}`);
        const chosen = variant ?? gemvVariant(shape, count, gpu);
        const { lanes, results, groups } = chosen;
        if (lanes === 1 && results !== (shape.activation ? 1 : 2)) throw new Error('one lane makes two rows');
        const { width, hasShuffles } = shuffles(lanes, gpu);
        const kernel = await gpu.kernel(lanes > 1 ? 'infer/product/gemv' : 'infer/product/gemv_direct', {
          constants: {
            ...weightConstants(shape.kind, shape.inFeatures),
            K: shape.inFeatures,
            TOKENS: count,
            RESULTS: results,
            GROUPS: groups,
            EPSILON: shape.norm?.epsilon ?? 0,
            ...(lanes > 1 && { LANES: lanes, SLAB: slabOf(shape, count, chosen, gpu), WIDTH: width }),
          },
          conditions: {
            ...weightConditions(shape.kind),
            NARROW: isNarrow(shape),
            MINIMA: weightFormats[shape.kind].hasMinimum,
            HIDDEN: gpu.isSoftware,
            NORM: shape.norm !== undefined,
            BIAS: shape.bias ?? false,
            ACCUMULATE: shape.accumulate ?? false,
            SWIGLU: shape.activation === 'swiglu',
            SHUFFLES: hasShuffles,
            WIDE: width < lanes,
            [`T${placesOf(count)}`]: true,
          },
        });
        return [count, { kernel, resultsPerGroup: results * groups }] as const;
      }),
    );
    return new Gemv(shape, new Map(kernels));
  }

  /**
   * Records a dispatch for each part of the matrix.
   * @param tokens one of those that were asked for
   * @param firstToken the line of x to begin at; y always begins at its first line
   * @throws Error for SwiGLU with a matrix in several parts, whose gates and ups may lie in different ones
   */
  record(recorder: Recorder, { x, weight, y, norm, bias }: GemvBuffers, tokens: number, firstToken = 0): void {
    const { outFeatures, activation } = this.shape;
    const variant = this.kernels.get(tokens);
    if (!variant) throw new Error(`Gemv was not made for ${tokens} tokens`);
    if (activation && weight.parts.length > 1) throw new Error('SwiGLU needs its matrix in one buffer');
    const rest: Tensor[] = [];
    if (this.shape.norm) rest.push(given(norm, 'norm'));
    if (this.shape.bias) rest.push(given(bias, 'bias'));
    for (const part of weight.parts) {
      const rows = activation ? outFeatures : part.rows;
      recorder.dispatch(
        variant.kernel,
        [part.tensor, x, y, ...rest],
        [rows, part.firstRow, outFeatures, outFeatures, firstToken, 1],
        grid(Math.ceil(rows / variant.resultsPerGroup)),
      );
    }
  }
}

function given(tensor: Tensor | undefined, name: string): Tensor {
  if (!tensor) throw new Error(`Gemv was made with ${name}, and none was given`);
  return tensor;
}
