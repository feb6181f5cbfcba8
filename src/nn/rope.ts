/** @file Rotary position embedding on packed QKV lines. */
import type { Gpu, Tensor } from '../gpu/gpu';
import { f32, grid, type Recorder } from '../gpu/recorder';
import type { Kernel } from '../gpu/kernel';

export interface RopeOptions {
  headDim: number;
  heads: number;
  kvHeads: number;
}

/** cos and sin of position × theta^(-2i / headDim) as [positions, headDim / 2, 2], computed in float64. */
export function ropeTable(positions: number, headDim: number, theta: number): Float32Array<ArrayBuffer> {
  const half = headDim / 2;
  const table = new Float32Array(positions * headDim);
  for (let i = 0; i < half; i++) {
    // Transformers rounds the frequencies to f32 before it multiplies them by the position.
    const frequency = Math.fround(theta ** ((-2 * i) / headDim));
    for (let position = 0; position < positions; position++) {
      const angle = position * frequency;
      table[(position * half + i) * 2] = Math.cos(angle);
      table[(position * half + i) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}

export class Rope {
  private constructor(
    private readonly pairs: number,
    private readonly rotate: Kernel,
  ) {}

  static async create(gpu: Gpu, { headDim, heads, kvHeads }: RopeOptions): Promise<Rope> {
    const constants = {
      HEAD_DIM: headDim,
      ROTATED_HEADS: heads + kvHeads,
      STRIDE: (heads + 2 * kvHeads) * headDim,
    };
    return new Rope(((heads + kvHeads) * headDim) / 2, await gpu.kernel('rope', { constants }));
  }

  /** Rotates queries and keys of qkv [rows, (heads + 2 kvHeads) headDim] in place. */
  forward(recorder: Recorder, qkv: Tensor, positions: Tensor, table: Tensor, rows: number): void {
    this.record(recorder, qkv, positions, table, rows, 1);
  }

  /** Rotates the gradient back, in place. */
  backward(recorder: Recorder, dQkv: Tensor, positions: Tensor, table: Tensor, rows: number): void {
    this.record(recorder, dQkv, positions, table, rows, -1);
  }

  private record(recorder: Recorder, qkv: Tensor, positions: Tensor, table: Tensor, rows: number, sign: number): void {
    const groups = grid(Math.ceil((rows * this.pairs) / 256));
    recorder.dispatch(this.rotate, [qkv, positions, table], [rows, f32(sign)], groups);
  }
}
