/** @file RMSNorm over a residual stream, or over the heads of packed QKV lines (QK-norm). */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';

export interface RmsNormOptions {
  /** Values that are normalised together. */
  size: number;
  epsilon: number;
  /** Rows in a line of `stride` values, the first at `base`; by default a line is one row. */
  heads?: number;
  stride?: number;
  base?: number;
  /** The backward overwrites the incoming gradient instead of adding to another one. */
  inPlace?: boolean;
  /** The weight doesn't learn: `dWeight` is null, and fewer rows per workgroup keep more of the GPU busy. */
  frozen?: boolean;
}

const ROWS_PER_GROUP = 64;

/** Rows per workgroup of the backward. Where the weight learns, each workgroup makes one partial sum. */
const rowsPerGroup = (frozen: boolean, lanes: number): number => (frozen ? 4 * (64 / lanes) : ROWS_PER_GROUP);

/** Bytes of the scratch that `backward` needs for `rows` rows (lines × heads). */
export const rmsNormScratchBytes = (rows: number, size: number): number => Math.ceil(rows / ROWS_PER_GROUP) * size * 4;

export class RmsNorm {
  private constructor(
    private readonly options: Required<RmsNormOptions>,
    private readonly rowsPerGroup: number,
    private readonly normalise: Kernel,
    private readonly normaliseAndCopy: Kernel,
    private readonly gradient: Kernel,
    private readonly total: Kernel,
  ) {}

  static async create(gpu: Gpu, options: RmsNormOptions): Promise<RmsNorm> {
    const full = { heads: 1, stride: options.size, base: 0, inPlace: false, frozen: false, ...options };
    const lanes = full.size >= 512 ? 64 : 16;
    const constants = {
      SIZE: full.size,
      HEADS: full.heads,
      STRIDE: full.stride,
      BASE: full.base,
      LANES: lanes,
    };
    const forward = (COPY: boolean) =>
      gpu.kernel('train/layers/rms_norm', { constants: { ...constants, EPSILON: full.epsilon }, conditions: { COPY } });
    const [normalise, normaliseAndCopy, gradient, total] = await Promise.all([
      forward(false),
      forward(true),
      gpu.kernel('train/layers/rms_norm_backward', {
        constants: { ...constants, ROWS_PER_GROUP: rowsPerGroup(full.frozen, lanes) },
        conditions: { IN_PLACE: full.inPlace, FROZEN: full.frozen },
      }),
      gpu.kernel('train/linear/column_total', { constants: { COLUMNS: full.size } }),
    ]);
    return new RmsNorm(full, 64 / lanes, normalise, normaliseAndCopy, gradient, total);
  }

  /**
   * @param tensors.x [lines, stride]
   * @param tensors.weight [size]
   * @param tensors.y [lines, stride]; only the normalised values are written
   * @param tensors.rstd [lines × heads], kept for the backward
   * @param tensors.copy [lines, stride] becomes x, where the next sublayer adds to a stream that must be kept as it is here
   */
  forward(
    recorder: Recorder,
    { x, weight, y, rstd, copy }: Record<'x' | 'weight' | 'y' | 'rstd', Tensor> & { copy?: Tensor | undefined },
    lines: number,
  ): void {
    const rows = lines * this.options.heads;
    const groups = grid(Math.ceil(rows / this.rowsPerGroup));
    if (copy) recorder.dispatch(this.normaliseAndCopy, [x, weight, y, rstd, copy], [rows], groups);
    else recorder.dispatch(this.normalise, [x, weight, y, rstd], [rows], groups);
  }

  /**
   * dx += the gradient by x (in place: dx holds dy and is overwritten); dWeight += the gradient by the weight, unless null.
   * @param dy [lines, stride]; must be null when in place
   * @param scratch at least `rmsNormScratchBytes(lines × heads, size)`
   */
  backward(
    recorder: Recorder,
    {
      x,
      weight,
      rstd,
      dy,
      dx,
      dWeight,
      scratch,
    }: Record<'x' | 'weight' | 'rstd' | 'dx' | 'scratch', Tensor> & Record<'dy' | 'dWeight', Tensor | null>,
    lines: number,
  ): void {
    const rows = lines * this.options.heads;
    const { frozen, size } = this.options;
    if (frozen !== (dWeight === null)) throw new Error('a norm has a gradient exactly when it learns');
    const groups = Math.ceil(rows / rowsPerGroup(frozen, 64 / this.rowsPerGroup));
    const bindings = [x, weight, rstd, dx, ...(frozen ? [] : [scratch]), ...(dy ? [dy] : [])];
    recorder.dispatch(this.gradient, bindings, [rows], [groups]);
    if (dWeight) recorder.dispatch(this.total, [scratch, dWeight], [groups], [Math.ceil(size / 32)]);
  }
}
