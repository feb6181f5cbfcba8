/**
 * @file y = xWᵀ + b for many tokens at once, with W packed (./packed.ts): a linear layer over a piece of a prompt. The same
 * packed matrix read the other way round, y = xW, takes a gradient back through the layer. `gemmVariant` decides how a
 * product is cut into workgroups; `Gemm` compiles and records what it decided.
 */
import type { Gpu, GpuFeatures, GpuTraits, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import type { Recorder } from '../../gpu/recorder';
import type { PackedMatrix, WeightKind } from './packed';
import { weightConditions, weightConstants } from './packed-shader';

/** The part of y that one workgroup makes, in tokens × features, and how. */
export interface GemmVariant {
  /**
   * direct: operands read where they lie, for emulated GPUs; tile: through workgroup memory, in f16 where the GPU has it;
   * matrix: f16 through workgroup memory to the GPU's matrix units.
   */
  kind: 'direct' | 'tile' | 'matrix';
  tokens: number;
  features: number;
  /**
   * Depth of the slabs that pass through workgroup memory. tile: such that a thread fetches one 4×4 block of x and one of
   * W; matrix: a multiple of 16, such that a thread fetches eight vec4s of W and four or eight of x.
   */
  depth: number;
  /** The share of one thread (tile: 8 × 4 or 8 × 8) or of one subgroup (matrix: 32 × 32 or 64 × 64). */
  spanTokens: number;
  spanFeatures: number;
}

const variant = (
  kind: GemmVariant['kind'],
  [tokens, features, depth]: readonly [number, number, number],
  [spanTokens, spanFeatures]: readonly [number, number],
): GemmVariant => ({ kind, tokens, features, depth, spanTokens, spanFeatures });

/** The variants for GPUs without matrix units. The one with the most arithmetic per byte comes first. */
export const TILE_VARIANTS: readonly GemmVariant[] = [
  variant('tile', [64, 64, 32], [8, 4]),
  variant('tile', [32, 32, 16], [8, 4]),
];
export const MATRIX_VARIANTS: readonly GemmVariant[] = [
  variant('matrix', [128, 128, 32], [64, 64]),
  variant('matrix', [64, 64, 64], [32, 32]),
  variant('matrix', [32, 64, 32], [32, 32]),
];
export const DIRECT_VARIANT: GemmVariant = variant('direct', [8, 64, 4], [8, 4]);

/**
 * Workgroups from which on a variant is the fastest on an H200, at 512 tokens: about two for each of its 132 processors for
 * 128×128 (of q4_0, 1536→17920: 307 µs, 64×64 426), fewer for 64×64 (1536→1536: 59 µs of q4_0, 32×64 75).
 */
const LEAST_GROUPS = { large: 264, other: 96 };

/** The properties of a GPU on which the choice of a variant depends. */
export interface GemmAdapter extends GpuTraits {
  readonly features: Pick<GpuFeatures, 'f16' | 'subgroupMatrix'>;
}

const SUBGROUP = 32;

const threadsOf = (v: GemmVariant): number => {
  const spans = (v.tokens / v.spanTokens) * (v.features / v.spanFeatures);
  return v.kind === 'matrix' ? SUBGROUP * spans : spans;
};

/** Bytes of workgroup memory. */
export function gemmWorkgroupBytes(v: GemmVariant, f16: boolean, transposed = false): number {
  if (v.kind === 'direct') return 0;
  if (v.kind === 'tile') return (v.tokens + v.features) * v.depth * (f16 ? 2 : 4);
  const padded = (lines: number, length: number) => 2 * lines * (length + 8);
  const weights = transposed ? padded(v.depth, v.features) : padded(v.features, v.depth);
  return padded(v.tokens, v.depth) + weights + 4 * 256 * (threadsOf(v) / SUBGROUP);
}

/**
 * The variant for a product of so many tokens and features, by what `benchGemm` with `sweep` measured on an H200.
 * @param shape.tokens rounded up to a power of two by `Gemm`, so that all that may be needed can be compiled beforehand
 */
export function gemmVariant(
  shape: { tokens: number; features: number; transposed?: boolean },
  { isSoftware, device, features }: GemmAdapter,
): GemmVariant {
  if (isSoftware) return DIRECT_VARIANT;
  const bytes = (v: GemmVariant) => gemmWorkgroupBytes(v, features.f16, shape.transposed);
  const fitting = (variants: readonly GemmVariant[]) =>
    variants.filter((v) => bytes(v) <= device.limits.maxComputeWorkgroupStorageSize);
  const matrix = features.subgroupMatrix && features.f16 ? fitting(MATRIX_VARIANTS) : [];
  const variants = matrix.length > 0 ? matrix : fitting(TILE_VARIANTS);
  const groups = (v: GemmVariant) => Math.ceil(shape.tokens / v.tokens) * Math.ceil(shape.features / v.features);
  const least = (v: GemmVariant) => (v.tokens > 64 ? LEAST_GROUPS.large : LEAST_GROUPS.other);
  const fits = (v: GemmVariant) => v.tokens <= shape.tokens && groups(v) >= least(v);
  return variants.find(fits) ?? variants.at(-1)!;
}

export interface GemmOptions {
  kind: WeightKind;
  /** Columns of the matrix, a multiple of 4. */
  inFeatures: number;
  /** Rows of the whole matrix. */
  outFeatures: number;
  bias?: boolean;
  /** The most tokens that one product will have. */
  maxTokens: number;
  /** y = xW instead of xWᵀ. */
  transposed?: boolean;
  /** Overrides `gemmVariant`'s choice, for benchmarks and tests. */
  variant?: GemmVariant;
}

export interface GemmCall {
  /** [tokens, inFeatures], or transposed [tokens, outFeatures], f32. */
  x: Tensor;
  /**
   * Where the matrix's parts don't cover all rows, only the columns of y that belong to its parts are written (transposed:
   * only those columns of x are read).
   */
  weight: PackedMatrix;
  /** [outFeatures], f32, when the product was created with a bias. */
  bias?: Tensor | null;
  /** [tokens, outFeatures], or transposed [tokens, inFeatures], f32. */
  y: Tensor;
  /** y += instead of y =. */
  accumulate?: boolean;
}

const variantKey = (v: GemmVariant): string => Object.values(v).join('/');
const tokenClass = (tokens: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, tokens)));

export class Gemm {
  private constructor(
    private readonly options: GemmOptions,
    private readonly kernels: ReadonlyMap<string, Kernel>,
    private readonly adapter: GemmAdapter,
  ) {}

  /**
   * Compiles every variant that 1 to `maxTokens` tokens can need.
   * @throws RangeError for a matrix that can't be read, and for a bias in a transposed product
   */
  static async create(gpu: Gpu, options: GemmOptions): Promise<Gemm> {
    if (options.bias && options.transposed) throw new RangeError('a transposed product takes no bias');
    const variants = new Map<string, GemmVariant>();
    for (let tokens = 1; tokens <= tokenClass(options.maxTokens); tokens *= 2) {
      const v = variantFor(options, tokens, gpu);
      variants.set(variantKey(v), v);
    }
    const kernels = await Promise.all(
      [...variants].map(async ([key, v]) => [key, await compile(gpu, options, v)] as const),
    );
    return new Gemm(options, new Map(kernels), gpu);
  }

  /** The variant that a product of so many tokens uses. */
  variant(tokens: number): GemmVariant {
    return variantFor(this.options, tokens, this.adapter);
  }

  /**
   * One dispatch for each part of the matrix.
   * @param tokens rows of x and y, at most `maxTokens`; rows behind them are neither read nor written
   */
  record(recorder: Recorder, { x, weight, bias, y, accumulate = false }: GemmCall, tokens: number): void {
    const { kind, inFeatures, outFeatures, maxTokens, transposed = false } = this.options;
    if (tokens > maxTokens) throw new RangeError(`a product made for ${maxTokens} tokens was given ${tokens}`);
    if (weight.kind !== kind || weight.columns !== inFeatures || weight.rows !== outFeatures) {
      throw new Error(
        `a product of ${kind} [${outFeatures}, ${inFeatures}] was given ${weight.kind} [${weight.rows}, ${weight.columns}]`,
      );
    }
    if (!!bias !== !!this.options.bias) {
      throw new Error(this.options.bias ? 'this product needs its bias' : 'this product has no bias');
    }
    const v = this.variant(tokens);
    weight.parts.forEach(({ tensor, firstRow, rows }, i) => {
      const bindings = bias ? [tensor, x, y, bias] : [tensor, x, y];
      // When transposed, parts are shares of the depth and add up. Otherwise each makes columns of its own.
      const adds = accumulate || (transposed && i > 0);
      const features = transposed ? inFeatures : rows;
      recorder.dispatch(
        this.kernels.get(variantKey(v))!,
        bindings,
        [tokens, firstRow, rows, adds ? 1 : 0],
        [Math.ceil(tokens / v.tokens), Math.ceil(features / v.features)],
      );
    });
  }
}

function variantFor(options: GemmOptions, tokens: number, adapter: GemmAdapter): GemmVariant {
  const { inFeatures, outFeatures, transposed = false } = options;
  const shape = { tokens: tokenClass(tokens), features: transposed ? inFeatures : outFeatures, transposed };
  return options.variant ?? gemmVariant(shape, adapter);
}

/** What shaders/infer/product/gemm_matrix.wesl spells out: spans of 32 or 64, and how many vec4s of a slab a thread fetches. */
export function matrixConditions(v: GemmVariant): { LARGE: boolean; X8: boolean } {
  const fetches = (lines: number): number => (lines * v.depth) / 4 / threadsOf(v);
  const ofX = fetches(v.tokens);
  if (fetches(v.features) !== 8 || (ofX !== 4 && ofX !== 8)) {
    throw new RangeError('a thread must fetch eight vec4s of a slab of W, and four or eight of x');
  }
  if (v.spanTokens !== v.spanFeatures || (v.spanTokens !== 32 && v.spanTokens !== 64)) {
    throw new RangeError(`a subgroup makes 32×32 or 64×64 values, not ${v.spanTokens}×${v.spanFeatures}`);
  }
  return { LARGE: v.spanTokens === 64, X8: ofX === 8 };
}

function compile(gpu: Gpu, options: GemmOptions, v: GemmVariant): Promise<Kernel> {
  const { kind, inFeatures, outFeatures, transposed = false, bias = false } = options;
  const exact = !transposed && inFeatures % v.depth === 0;
  const conditions = { ...weightConditions(kind), TRANSPOSED: transposed, BIAS: bias, EXACT: exact };
  const constants = {
    ...weightConstants(kind, inFeatures),
    COLUMNS: inFeatures,
    X_STRIDE: transposed ? outFeatures : inFeatures,
    Y_STRIDE: transposed ? inFeatures : outFeatures,
    THREADS: threadsOf(v),
  };
  if (v.kind === 'direct') return gpu.kernel('infer/product/gemm_direct', { constants, conditions });
  const tile = { ...constants, TILE_TOKENS: v.tokens, TILE_FEATURES: v.features, TILE_DEPTH: v.depth };
  if (v.kind === 'matrix') {
    return gpu.kernel('infer/product/gemm_matrix', {
      constants: tile,
      conditions: { ...conditions, ...matrixConditions(v) },
    });
  }
  return gpu.kernel('infer/product/gemm', {
    constants: tile,
    conditions: { ...conditions, WIDE: v.spanFeatures === 8, F16: gpu.features.f16, ROLLED: gpu.isSoftware },
  });
}
