/**
 * @file A linear layer on packed weights that stay as they are, with low-rank adapters that learn:
 * y = xWᵀ + b + s (xAᵀ)Bᵀ, and its gradients by x, A and B.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { f32, type Recorder } from '../../gpu/recorder';
import { Gemm } from '../infer/gemm';
import { loraConstants, type LoraShape } from './lora-shape';
import { Matmul } from './matmul';
import type { PackedMatrix, WeightKind } from '../infer/packed';

export interface LoraLinearOptions {
  inFeatures: number;
  outFeatures: number;
  bias: boolean;
  /** The kinds in which layers' weights are packed. */
  kinds: readonly WeightKind[];
  /** The most tokens that one call will have. */
  maxTokens: number;
  /** Null where no module of the layer has an adapter. */
  lora: LoraShape | null;
  /** Incoming gradients are this many times too large, to keep small ones within f16; the adapters' are divided by it. */
  gradientScale: number;
}

/** A layer's adapter as it stands, in f32. */
export interface LoraAdapter {
  /** [blocks × rank, inFeatures] */
  a: Tensor;
  /** [rows of the blocks, rank] */
  b: Tensor;
  /** [tokens, blocks × rank], x Aᵀ: kept from the forward for the backward. */
  u: Tensor;
  scale: number;
}

/** A layer's weights: those that stay, perhaps in several kinds, and what is added to them. */
export interface LoraWeights {
  base: readonly PackedMatrix[];
  /** Null computes the base alone. */
  adapter: LoraAdapter | null;
}

export interface LoraGradients {
  /** Added to. */
  a: Tensor;
  b: Tensor;
  /** [tokens, blocks × rank], scratch that layers share. */
  du: Tensor;
}

/** Columns per workgroup of shaders/lora/lora_gradient.wesl. */
const GRADIENT_COLUMNS = 16;

/** The kernels of a layer that has adapters. */
interface AdapterKernels {
  down: Matmul;
  up: Kernel;
  upBackward: Kernel;
  gradientOfA: Kernel;
  gradientOfB: Kernel;
  inputGradient: Matmul;
  /** Ranks, in fours, that a workgroup of `upBackward` takes. */
  quads: number;
}

export class LoraLinear {
  private constructor(
    private readonly options: LoraLinearOptions,
    private readonly products: ReadonlyMap<WeightKind, Gemm>,
    private readonly transposed: ReadonlyMap<WeightKind, Gemm>,
    private readonly kernels: AdapterKernels | null,
  ) {}

  static async create(gpu: Gpu, options: LoraLinearOptions): Promise<LoraLinear> {
    const { inFeatures, outFeatures, bias, maxTokens, kinds, lora } = options;
    const shape = { inFeatures, outFeatures, maxTokens };
    const gemms = async (of: { bias: boolean; transposed: boolean }) =>
      new Map(
        await Promise.all(
          kinds.map(async (kind) => [kind, await Gemm.create(gpu, { kind, ...shape, ...of })] as const),
        ),
      );
    const [products, transposed, kernels] = await Promise.all([
      gemms({ bias, transposed: false }),
      gemms({ bias: false, transposed: true }),
      lora && adapterKernels(gpu, lora, maxTokens),
    ]);
    return new LoraLinear(options, products, transposed, kernels);
  }

  /**
   * y = xWᵀ + b + s (xAᵀ)Bᵀ, or added to y.
   * @param call.x [tokens, inFeatures], f32
   * @param call.bias [outFeatures], exactly when the layer has one
   * @param call.y [tokens, outFeatures], f32
   */
  forward(
    recorder: Recorder,
    call: { x: Tensor; weight: LoraWeights; bias?: Tensor | null | undefined; y: Tensor; accumulate?: boolean },
    tokens: number,
  ): void {
    const { x, bias = null, y, accumulate = false } = call;
    const { base, adapter } = call.weight;
    for (const weight of base)
      this.products.get(weight.kind)!.record(recorder, { x, weight, bias, y, accumulate }, tokens);
    if (!adapter || !this.kernels) return;
    const { down, up } = this.kernels;
    const { inFeatures, outFeatures } = this.options;
    down.record(recorder, { a: x, b: adapter.a, c: adapter.u, rows: tokens, depth: inFeatures });
    const groups = [Math.ceil(outFeatures / 64), Math.ceil(tokens / 4)] as const;
    recorder.dispatch(up, [adapter.u, adapter.b, y], [tokens, f32(adapter.scale)], groups);
  }

  /**
   * dx = dy·W + s (dy·B)·A; adds to the gradients of A and B. Must follow `forward` of the same tokens.
   * @param gradients.dWeight null where the layer has no adapter
   */
  backward(
    recorder: Recorder,
    { x, weight: { base, adapter }, dy }: { x: Tensor; weight: LoraWeights; dy: Tensor },
    { dx, dWeight }: { dx: Tensor; dWeight: LoraGradients | null },
    tokens: number,
  ): void {
    base.forEach((weight, i) =>
      this.transposed.get(weight.kind)!.record(recorder, { x: dy, weight, y: dx, accumulate: i > 0 }, tokens),
    );
    const { lora, gradientScale, inFeatures, outFeatures } = this.options;
    if (!adapter || !dWeight || !this.kernels || !lora) return;
    const { upBackward, gradientOfA, gradientOfB, inputGradient, quads } = this.kernels;
    const { rank, blocks } = lora;
    const { a, b, u, scale } = adapter;
    const { du } = dWeight;
    recorder.dispatch(
      upBackward,
      [dy, b, du],
      [tokens, f32(scale)],
      [Math.ceil(tokens / 4), blocks.length, rank / 4 / quads],
    );
    const ofB = [tokens, f32(scale / gradientScale)];
    recorder.dispatch(gradientOfB, [dy, u, dWeight.b], ofB, [Math.ceil(outFeatures / GRADIENT_COLUMNS), 1, rank / 4]);
    const ofA = [tokens, f32(1 / gradientScale)];
    recorder.dispatch(gradientOfA, [x, du, dWeight.a], ofA, [
      Math.ceil(inFeatures / GRADIENT_COLUMNS),
      blocks.length,
      rank / 4,
    ]);
    inputGradient.record(recorder, { a: du, b: a, c: dx, rows: tokens, depth: blocks.length * rank, accumulate: true });
  }
}

async function adapterKernels(gpu: Gpu, lora: LoraShape, maxTokens: number): Promise<AdapterKernels> {
  const { inFeatures, outFeatures, rank, blocks } = lora;
  const narrow = blocks.length * rank;
  const constants = loraConstants(lora);
  const quads = [4, 2, 1].find((count) => (rank / 4) % count === 0)!;
  const [down, inputGradient, up, upBackward, gradientOfA, gradientOfB] = await Promise.all([
    Matmul.create(gpu, { rows: maxTokens, columns: narrow, depth: inFeatures }),
    Matmul.create(gpu, { rows: maxTokens, columns: inFeatures, depth: narrow, depthMajorB: true }),
    gpu.kernel('lora/lora_up', { constants: { ...constants, FEATURES: outFeatures } }),
    gpu.kernel('lora/lora_up_backward', { constants: { ...constants, FEATURES: outFeatures, QUADS: quads } }),
    gpu.kernel('lora/lora_gradient', { constants: { ...constants, WIDTH: inFeatures }, conditions: { OF_B: false } }),
    gpu.kernel('lora/lora_gradient', { constants: { ...constants, WIDTH: outFeatures }, conditions: { OF_B: true } }),
  ]);
  return { down, inputGradient, up, upBackward, gradientOfA, gradientOfB, quads };
}
