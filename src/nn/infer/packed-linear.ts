/**
 * @file A linear layer on packed weights for one token or many, with what surrounds it in a decoder layer: for a few
 * tokens everything in one dispatch (./gemv.ts), for many a matrix product between its neighbours (./gemm.ts).
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { Gemm } from './gemm';
import { Gemv, type GemvShape } from './gemv';
import type { PackedMatrix } from './packed';
import { RmsNorm } from '../train/rms-norm';
import { Swiglu } from '../train/swiglu';

export interface PackedLinearOptions extends GemvShape {
  /** The most that one call will have. */
  maxTokens: number;
  /** How many tokens are worth the fused kernel; other numbers take the matrix product. */
  gemvTokens: readonly number[];
}

export interface PackedLinearTensors {
  /** f32 [tokens, inFeatures] */
  x: Tensor;
  weight: PackedMatrix;
  /** f32 [tokens, outFeatures] */
  y: Tensor;
  /** f32 [inFeatures], with `norm`. */
  norm?: Tensor | undefined;
  /** f32, one for each row of the matrix, with `bias`. */
  bias?: Tensor | undefined;
  /** Scratch between the parts of a layer. */
  scratch: {
    /** f32 [tokens, inFeatures], with `norm`. */
    norm: Tensor;
    /** f32 [tokens, 2 outFeatures], with SwiGLU. */
    wide: Tensor;
    /** f32 [tokens], with `norm`. */
    rstd: Tensor;
  };
}

export class PackedLinear {
  private constructor(
    private readonly options: PackedLinearOptions,
    private readonly gemv: Gemv,
    private readonly gemm: Gemm | null,
    private readonly norm: RmsNorm | null,
    private readonly swiglu: Swiglu | null,
  ) {}

  static async create(gpu: Gpu, options: PackedLinearOptions): Promise<PackedLinear> {
    const { maxTokens, gemvTokens, ...shape } = options;
    const { kind, inFeatures, outFeatures, norm, bias, activation } = shape;
    const needsGemm = Array.from({ length: maxTokens }, (_, i) => i + 1).some((count) => !gemvTokens.includes(count));
    const rows = activation ? 2 * outFeatures : outFeatures;
    const [gemv, gemm, rmsNorm, swiglu] = await Promise.all([
      Gemv.create(gpu, { ...shape, tokens: gemvTokens }),
      needsGemm ? Gemm.create(gpu, { kind, inFeatures, outFeatures: rows, bias: bias ?? false, maxTokens }) : null,
      needsGemm && norm ? RmsNorm.create(gpu, { size: inFeatures, epsilon: norm.epsilon, inPlace: true }) : null,
      needsGemm && activation ? Swiglu.create(gpu, outFeatures) : null,
    ]);
    return new PackedLinear(options, gemv, gemm, rmsNorm, swiglu);
  }

  /** y = act(norm(x)·Wᵀ + b), or added to y. */
  forward(recorder: Recorder, tensors: PackedLinearTensors, tokens: number): void {
    const { x, weight, y, norm, bias, scratch } = tensors;
    const { gemvTokens, accumulate = false } = this.options;
    if (gemvTokens.includes(tokens)) {
      this.gemv.record(recorder, { x, weight, y, ...(norm && { norm }), ...(bias && { bias }) }, tokens);
      return;
    }
    if (!this.gemm)
      throw new RangeError(`a linear layer made for ${this.options.maxTokens} tokens was given ${tokens}`);
    let input = x;
    if (this.norm) {
      if (!norm) throw new Error('this linear layer needs its norm');
      this.norm.forward(recorder, { x, weight: norm, y: scratch.norm, rstd: scratch.rstd }, tokens);
      input = scratch.norm;
    }
    const product = { x: input, weight, ...(bias && { bias }) };
    if (!this.swiglu) return this.gemm.record(recorder, { ...product, y, accumulate }, tokens);
    this.gemm.record(recorder, { ...product, y: scratch.wide }, tokens);
    this.swiglu.forward(recorder, scratch.wide, y, tokens);
  }
}
