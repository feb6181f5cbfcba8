/**
 * @file Products of one to eight tokens with a packed matrix, with what surrounds them in a decoder layer fused in: the
 * norm before, and bias, residual addition or SwiGLU after. `gemvVariant` decides how a product is shared out.
 */
import type { Gpu, Tensor } from '../gpu/gpu';
import type { Kernel } from '../gpu/kernel';
import { grid, type Recorder } from '../gpu/recorder';
import type { PackedMatrix, WeightKind } from './packed';
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
  /** Invocations that share a row, a workgroup of them; 1: an invocation makes whole rows by itself. */
  lanes: number;
  /** Results of one workgroup, or of one invocation where `lanes` is 1. */
  results: number;
}

/** Results' invocations in a workgroup, where each works by itself. */
const GROUPS = 32;
/** The smallest subgroup that WebGPU allows. */
const LEAST_SUBGROUP = 4;

const withMinima: readonly WeightKind[] = ['q4_1', 'q5_1', 'q4_k', 'q5_k'];
/** Weights in one of lib/weight_chunks.wesl's chunks, unless rows are narrow. */
const chunkSize = (kind: WeightKind): number => (kind === 'f32' ? 4 : kind === 'f16' || kind === 'bf16' ? 8 : 32);

/** Dense rows whose length is no multiple of a chunk are read four weights at a time. */
const isNarrow = ({ kind, inFeatures }: GemvShape): boolean => inFeatures % chunkSize(kind) !== 0;

/** What `bench gemv --sweep` found best on an H200 (docs/notes.md), and for emulated GPUs one without workgroup memory. */
export function gemvVariant(shape: GemvShape, tokens: number, adapter: { readonly isSoftware: boolean }): GemvVariant {
  const results = shape.activation ? 2 : 4;
  if (adapter.isSoftware) return { lanes: 1, results: tokens > 2 ? 1 : results / 2 };
  const chunks = shape.inFeatures / (isNarrow(shape) ? 4 : chunkSize(shape.kind));
  // The fewest idle lanes; of equals the fewest lanes.
  let best = 32;
  const idle = (lanes: number) => Math.ceil(chunks / lanes) * lanes - chunks;
  for (const lanes of [64, 96, 128]) if (idle(lanes) < idle(best)) best = lanes;
  return { lanes: best, results };
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
        const { lanes, results } = variant ?? gemvVariant(shape, count, gpu);
        const kernel = await gpu.kernel('gemv', {
          constants: {
            ...weightConstants(shape.kind, shape.inFeatures),
            K: shape.inFeatures,
            TOKENS: count,
            RESULTS: results,
            LANES: lanes,
            GROUPS,
            EPSILON: shape.norm?.epsilon ?? 0,
            LEAST_SUBGROUP,
          },
          conditions: {
            ...weightConditions(shape.kind),
            NARROW: isNarrow(shape),
            MINIMA: withMinima.includes(shape.kind),
            NORM: shape.norm !== undefined,
            BIAS: shape.bias ?? false,
            ACCUMULATE: shape.accumulate ?? false,
            SWIGLU: shape.activation === 'swiglu',
            HIDDEN: gpu.isSoftware,
            LANES_SHARE: lanes > 1,
            SUBGROUPS: lanes > 1 && gpu.features.subgroups,
          },
        });
        return [count, { kernel, resultsPerGroup: results * (lanes === 1 ? GROUPS : 1) }] as const;
      }),
    );
    return new Gemv(shape, new Map(kernels));
  }

  /**
   * Records a dispatch for each part of the matrix.
   * @param tokens one of those that were asked for
   * @param firstToken of x; y always begins at its first line
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
