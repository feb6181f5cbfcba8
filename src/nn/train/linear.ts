/**
 * @file The linear layer y = xWᵀ + b and its gradients. Weights are in Hugging Face's layout [out, in].
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { ColumnSum, columnSumScratchBytes } from './column-sum';
import { Matmul, matmulPartialBytes, matmulSplit, matmulVariant, type MatmulAdapter } from './matmul';

export interface LinearOptions {
  /** K */
  inFeatures: number;
  /** N */
  outFeatures: number;
  bias: boolean;
  /** The most rows (tokens) that one call will have. */
  maxRows: number;
}

export interface LinearCall {
  /** [M, K], f32; may hold more rows. */
  x: Tensor;
  /** [N, K] */
  weight: Tensor;
  /** [N]; left out or null exactly when the layer has none. */
  bias?: Tensor | null | undefined;
  /** [M, N] */
  y: Tensor;
  /** y += instead of y =. */
  accumulate?: boolean;
}

export interface LinearGradients {
  /** [M, K], or null where the layer's input needs no gradient. */
  dx: Tensor | null;
  /** dx += instead of dx =. */
  accumulateDx?: boolean;
  /** [N, K], added to. */
  dWeight: Tensor;
  /** [N], added to. */
  dBias: Tensor | null;
}

/** Bytes of the scratch that `backward` needs. Layers that run one after another can share the largest. */
export function scratchBytes(options: LinearOptions, adapter: MatmulAdapter): number {
  const shape = weightGradientShape(options);
  const partials = matmulPartialBytes(shape, matmulVariant(shape, adapter, true));
  return Math.max(16, partials, options.bias ? columnSumScratchBytes(options.maxRows, options.outFeatures) : 0);
}

const weightGradientShape = ({ outFeatures, inFeatures, maxRows }: LinearOptions) => ({
  rows: outFeatures,
  columns: inFeatures,
  depth: maxRows,
});

export class Linear {
  private constructor(
    readonly options: LinearOptions,
    private readonly product: Matmul,
    private readonly inputGradient: Matmul,
    private readonly weightGradient: Matmul,
    private readonly columnSum: ColumnSum,
    private readonly scratch: Tensor,
  ) {}

  /**
   * @param options.scratch at least `scratchBytes` bytes, which other layers may use too; allocated when left out.
   * @throws RangeError when the scratch is too small.
   */
  static async create(gpu: Gpu, options: LinearOptions & { scratch?: Tensor }): Promise<Linear> {
    const { inFeatures, outFeatures, bias, maxRows } = options;
    const needed = scratchBytes(options, gpu);
    if (options.scratch && options.scratch.size < needed) {
      throw new RangeError(`${options.scratch.label} holds ${options.scratch.size} bytes; this layer needs ${needed}`);
    }
    const [product, inputGradient, weightGradient, columnSum] = await Promise.all([
      Matmul.create(gpu, { rows: maxRows, columns: outFeatures, depth: inFeatures, bias }),
      Matmul.create(gpu, { rows: maxRows, columns: inFeatures, depth: outFeatures, depthMajorB: true }),
      Matmul.create(gpu, { ...weightGradientShape(options), depthMajorA: true, depthMajorB: true, split: true }),
      ColumnSum.create(gpu),
    ]);
    const scratch = options.scratch ?? gpu.alloc('linear scratch', needed);
    return new Linear(options, product, inputGradient, weightGradient, columnSum, scratch);
  }

  /**
   * y = xWᵀ + b, or y += xWᵀ + b.
   * @param rows M, at most `maxRows`
   */
  forward(recorder: Recorder, { x, weight, bias = null, y, accumulate = false }: LinearCall, rows: number): void {
    this.check(rows, bias);
    this.product.record(recorder, { a: x, b: weight, c: y, bias, rows, depth: this.options.inFeatures, accumulate });
  }

  /**
   * dx = dy·W (or +=), dWeight += dyᵀx, dBias += Σ_m dy.
   * @param forward.dy [M, N], f32; may hold more rows
   * @param forward.x [M, K], as given to `forward`
   * @param rows M, at most `maxRows`
   */
  backward(
    recorder: Recorder,
    { x, weight, dy }: Record<'x' | 'weight' | 'dy', Tensor>,
    { dx, accumulateDx = false, dWeight, dBias }: LinearGradients,
    rows: number,
  ): void {
    this.check(rows, dBias);
    if (rows === 0) return;
    const { outFeatures } = this.options;
    if (dx) {
      this.inputGradient.record(recorder, {
        a: dy,
        b: weight,
        c: dx,
        rows,
        depth: outFeatures,
        accumulate: accumulateDx,
      });
    }
    this.addWeightGradient(recorder, dy, x, dWeight, rows);
    if (dBias) this.columnSum.sum(recorder, { x: dy, out: dBias, scratch: this.scratch }, rows, outFeatures);
  }

  private addWeightGradient(recorder: Recorder, dy: Tensor, x: Tensor, dWeight: Tensor, rows: number): void {
    const { inFeatures, outFeatures } = this.options;
    const shape = { rows: outFeatures, columns: inFeatures, depth: rows };
    const split = matmulSplit(shape, this.weightGradient.tile(outFeatures));
    const call = { a: dy, b: x, rows: outFeatures, depth: rows, split };
    if (split.splits === 1) {
      this.weightGradient.record(recorder, { ...call, c: dWeight, accumulate: true });
    } else {
      this.weightGradient.record(recorder, { ...call, c: this.scratch });
      this.columnSum.add(recorder, this.scratch, dWeight, split.splits, outFeatures * inFeatures);
    }
  }

  private check(rows: number, bias: Tensor | null): void {
    const { maxRows } = this.options;
    if (rows > maxRows) throw new RangeError(`a linear layer made for ${maxRows} rows was given ${rows}`);
    if ((bias !== null) !== this.options.bias) {
      throw new Error(this.options.bias ? 'this linear layer needs its bias' : 'this linear layer has no bias');
    }
  }
}
