/**
 * @file Packs a file's bytes into a matrix on the GPU, piece by piece while the file streams. Blocks are sorted into planes
 * unchanged; f32, f16 and bf16 can be converted or quantised.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';
import {
  fitsKind,
  isFloat,
  packedRowBytes,
  planeOffsets,
  weightFormats,
  type PackedMatrix,
  type WeightKind,
} from './packed';

const convertible: readonly WeightKind[] = ['f32', 'f16', 'q8_0', 'q4_0'];

/** Whether rows stored as `from` can be packed as `kind`: unchanged, or from floats to f32, f16, q8_0 or q4_0. */
export function canPack(from: WeightKind, kind: WeightKind, columns: number): boolean {
  return fitsKind(kind, columns) && (from === kind || (isFloat(from) && convertible.includes(kind)));
}

export interface PackerOptions {
  /** The kind in the file. */
  from: WeightKind;
  kind: WeightKind;
  /** Values per row; blocks don't straddle rows. */
  columns: number;
}

export interface PackPlace {
  /** The matrix's row for the tensor's row 0: matrices that are multiplied together are stacked in one. */
  destinationRow?: number;
  /** The tensor's row that the piece begins with. */
  firstRow?: number;
  /** For a tensor of interleaved heads (`TensorEntry.interleavedHeads`): values of a head. */
  headDim?: number;
}

export class Packer {
  private constructor(
    private readonly kernel: Kernel,
    private readonly kind: WeightKind,
    private readonly columns: number,
    private readonly invocationsPerRow: number,
    private readonly numberWords: number,
    /** Bytes of a row in the file; a piece is whole rows. */
    readonly fileRowBytes: number,
  ) {}

  /** @throws RangeError when `from` can't become `kind` */
  static async create(gpu: Gpu, { from, kind, columns }: PackerOptions): Promise<Packer> {
    if (!canPack(from, kind, columns)) {
      throw new RangeError(`rows of ${columns} values stored as ${from} can't be packed as ${kind}`);
    }
    const { weights, bytes } = weightFormats[from];
    const fileRowBytes = (columns / weights) * bytes;
    const rowWords = packedRowBytes(kind, columns) / 4;
    const constants = { RAW_ROW_BYTES: fileRowBytes, ROW_WORDS: rowWords };
    const conditions = { FROM_F32: from === 'f32', FROM_F16: from === 'f16', FROM_BF16: from === 'bf16' };
    if (from === kind) {
      const kernel = await gpu.kernel('infer/pack/pack_blocks', {
        constants: { ...constants, ...blockConstants(kind, columns) },
      });
      return new Packer(kernel, kind, columns, rowWords, 0, fileRowBytes);
    }
    if (kind === 'f32' || kind === 'f16') {
      const kernel = await gpu.kernel('infer/pack/pack_floats', {
        constants: { ...constants, COLUMNS: columns },
        conditions: { ...conditions, TO_F32: kind === 'f32' },
      });
      return new Packer(kernel, kind, columns, rowWords, 0, fileRowBytes);
    }
    const blocks = columns / 32;
    const kernel = await gpu.kernel('infer/pack/pack_quantise', {
      constants: { ...constants, BLOCKS: blocks, SCALES_AT: planeOffsets(kind, columns)[1]! / 4 },
      conditions: { ...conditions, TO_Q4_0: kind === 'q4_0' },
    });
    return new Packer(kernel, kind, columns, Math.ceil(blocks / 2), kind === 'q4_0' ? 4 : 8, fileRowBytes);
  }

  /**
   * Packs `rows` rows whose bytes lie at the beginning of `raw`. Rows that the matrix has no room for are dropped; of a
   * row that is written, its padding too.
   * @param raw rows × fileRowBytes bytes
   */
  pack(recorder: Recorder, raw: Tensor, rows: number, matrix: PackedMatrix, place: PackPlace = {}): void {
    const { destinationRow = 0, firstRow = 0, headDim = 0 } = place;
    if (matrix.kind !== this.kind || matrix.columns !== this.columns) {
      throw new Error(`a matrix of ${matrix.columns} columns of ${matrix.kind} was given to a packer of others`);
    }
    // With interleaved heads, rows move within their head.
    const begin = destinationRow + (headDim > 0 ? Math.floor(firstRow / headDim) * headDim : firstRow);
    const end = destinationRow + (headDim > 0 ? Math.ceil((firstRow + rows) / headDim) * headDim : firstRow + rows);
    for (const part of matrix.parts) {
      if (end <= part.firstRow || begin >= part.firstRow + part.rows) continue;
      recorder.dispatch(
        this.kernel,
        [raw, part.tensor],
        [rows, firstRow, destinationRow, part.firstRow, part.rows, headDim, this.numberWords],
        grid(Math.ceil((rows * this.invocationsPerRow) / 64)),
      );
    }
  }
}

function blockConstants(kind: WeightKind, columns: number): Record<string, number> {
  const { weights, bytes, planes } = weightFormats[kind];
  const offsets = planeOffsets(kind, columns);
  const constants: Record<string, number> = { BLOCKS: columns / weights, BLOCK_BYTES: bytes };
  for (let p = 0; p < 4; p++) {
    constants[`PLANE_BYTES_${p}`] = planes[p]?.bytes ?? 4;
    constants[`FROM_${p}`] = planes[p]?.from ?? 0;
    if (p > 0) constants[`PLANE_AT_${p}`] = (offsets[p] ?? packedRowBytes(kind, columns)) / 4;
  }
  return constants;
}
