/** @file Embedding: rows of a packed matrix by their number. */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';
import type { PackedMatrix, WeightKind } from './packed';
import { weightConditions, weightConstants } from './packed-shader';

export interface PackedGatherTensors {
  /** u32; numbers beyond the matrix leave their line of y as it is. */
  ids: Tensor;
  weight: PackedMatrix;
  /** f32 [tokens, columns] */
  y: Tensor;
}

export class PackedGather {
  private constructor(
    private readonly columns: number,
    private readonly kernel: Kernel,
  ) {}

  /** @param columns a multiple of 4 */
  static async create(gpu: Gpu, { kind, columns }: { kind: WeightKind; columns: number }): Promise<PackedGather> {
    const constants = { ...weightConstants(kind, columns), COLUMN_VECS: columns / 4 };
    return new PackedGather(
      columns,
      await gpu.kernel('infer/product/gather_packed', { constants, conditions: weightConditions(kind) }),
    );
  }

  /** y[i] = weight[ids[firstId + i]], for `tokens` of them. */
  record(recorder: Recorder, { ids, weight, y }: PackedGatherTensors, tokens: number, firstId = 0): void {
    for (const { tensor, firstRow, rows } of weight.parts) {
      const groups = grid(Math.ceil((tokens * this.columns) / 4 / 64));
      recorder.dispatch(this.kernel, [tensor, ids, y], [tokens, firstId, firstRow, rows], groups);
    }
  }
}
