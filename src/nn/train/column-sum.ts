/** @file Sums over the rows of a matrix, in a fixed order: bias gradients, and the partial products of a split matmul. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';

const THREADS = 64;
/** Workgroups that keep a large GPU busy. */
const BUSY_GROUPS = 264;
const LEAST_CHUNK = 32;

/** How `sum` divides the rows: depends on the shape alone. */
function shares(rows: number, columns: number): { shares: number; chunk: number } {
  const wanted = Math.ceil((BUSY_GROUPS * THREADS) / columns);
  const chunk = Math.max(LEAST_CHUNK, Math.ceil(rows / wanted));
  return { shares: Math.ceil(rows / chunk), chunk };
}

/** Bytes of scratch that `ColumnSum.sum` needs for up to `rows` rows. */
export function columnSumScratchBytes(rows: number, columns: number): number {
  // A share has at least LEAST_CHUNK rows, and there are at most as many as keep the GPU busy.
  return 4 * columns * Math.min(Math.ceil(rows / LEAST_CHUNK), Math.ceil((BUSY_GROUPS * THREADS) / columns));
}

export class ColumnSum {
  private constructor(private readonly kernel: Kernel) {}

  static async create(gpu: Gpu): Promise<ColumnSum> {
    return new ColumnSum(await gpu.kernel('train/linear/column_sum'));
  }

  /** out[columns] += Σ_r x[r, columns]. For few rows or many columns: a thread walks down a whole column. */
  add(recorder: Recorder, x: Tensor, out: Tensor, rows: number, columns: number): void {
    this.record(recorder, [x, out], { rows, columns, chunk: rows, accumulate: true });
  }

  /** Like `add`, for many rows and few columns: sums shares of the rows into `scratch`, then adds up the shares. */
  sum(
    recorder: Recorder,
    { x, out, scratch }: Record<'x' | 'out' | 'scratch', Tensor>,
    rows: number,
    columns: number,
  ): void {
    const plan = shares(rows, columns);
    if (plan.shares <= 1) return this.add(recorder, x, out, rows, columns);
    this.record(recorder, [x, scratch], { rows, columns, chunk: plan.chunk, accumulate: false });
    this.add(recorder, scratch, out, plan.shares, columns);
  }

  private record(
    recorder: Recorder,
    [x, out]: [x: Tensor, out: Tensor],
    { rows, columns, chunk, accumulate }: { rows: number; columns: number; chunk: number; accumulate: boolean },
  ): void {
    if (rows === 0) return;
    const groups = grid(Math.ceil((Math.ceil(rows / chunk) * columns) / THREADS));
    recorder.dispatch(this.kernel, [x, out], [rows, columns, chunk, accumulate ? 1 : 0], groups);
  }
}
