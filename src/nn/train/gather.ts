/** @file Gathering rows by index (the embedding, the predicting hidden states), and its backward without atomics. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';

/** For each row of a table, the places that were gathered from it: `item[start[r] .. start[r + 1])`, ascending. */
export interface InverseIndex {
  start: Uint32Array<ArrayBuffer>;
  item: Uint32Array<ArrayBuffer>;
}

/** Inverts an index by counting sort. @param rows size of the table that it points into */
export function invertIndex(index: Uint32Array, rows: number): InverseIndex {
  const start = new Uint32Array(rows + 1);
  for (const row of index) start[row + 1]!++;
  for (let row = 0; row < rows; row++) start[row + 1]! += start[row]!;
  const next = start.slice();
  const item = new Uint32Array(index.length);
  index.forEach((row, i) => (item[next[row]!++] = i));
  return { start, item };
}

export class Gather {
  private constructor(
    private readonly columns: number,
    private readonly gather: Kernel,
    private readonly scatter: Kernel,
  ) {}

  /** @param accumulate whether the backward adds to the table's gradient instead of overwriting it */
  static async create(gpu: Gpu, columns: number, accumulate: boolean): Promise<Gather> {
    const [gather, scatter] = await Promise.all([
      gpu.kernel('train/layers/gather', { constants: { COLUMNS: columns } }),
      gpu.kernel('train/layers/segment_sum', { constants: { COLUMNS: columns, ACCUMULATE: accumulate ? 1 : 0 } }),
    ]);
    return new Gather(columns, gather, scatter);
  }

  /** out [rows, columns] = table[index] */
  forward(recorder: Recorder, table: Tensor, index: Tensor, out: Tensor, rows: number): void {
    recorder.dispatch(this.gather, [table, index, out], [rows], grid(Math.ceil((rows * this.columns) / 256)));
  }

  /**
   * dTable[r] = or += the sum of dOut over the inverse index's items of r.
   * @param tableRows rows of dTable that are written
   */
  backward(
    recorder: Recorder,
    { dOut, start, item, dTable }: Record<'dOut' | 'start' | 'item' | 'dTable', Tensor>,
    tableRows: number,
  ): void {
    const [x, y = 1] = grid(tableRows);
    recorder.dispatch(this.scatter, [dOut, start, item, dTable], [tableRows], [x, y, Math.ceil(this.columns / 32)]);
  }
}
