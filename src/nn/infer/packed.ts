/**
 * @file How weight matrices lie in GPU memory for inference: in the form in which they are stored, quantised blocks
 * included, with each row's parts sorted into planes so that neighbouring invocations read neighbouring words.
 *
 * A matrix [rows, columns] is rows one after another, each `rowBytes` long (a multiple of 16). A row is its planes one
 * after another, in the order below; n = columns, and blocks are those of ggml (github.com/ggml-org/ggml,
 * ggml-common.h), whose bit order inside a plane is kept.
 *
 *     f32    4n bytes            f16, bf16    2n bytes
 *     q8_0   n int8              | n/32 f16 scales d                       w = d q
 *     q4_0   n/32 × 16 bytes     | n/32 f16 d                              w = d (q − 8)
 *     q4_1   n/32 × 16 bytes     | n/32 (f16 d, f16 m)                     w = d q + m
 *     q5_0   n/32 × 16 bytes     | n/32 u32 high bits | n/32 f16 d         w = d (q − 16)
 *     q5_1   n/32 × 16 bytes     | n/32 u32 high bits | n/32 (f16 d, m)    w = d q + m
 *     q4_k   n/256 × 128 bytes   | n/256 × 16 bytes: f16 d, f16 dmin, 12 bytes of 6-bit scales and minima
 *     q5_k   n/256 × 128 bytes   | n/256 × 32 bytes of high bits | n/256 × 16 bytes as in q4_k
 *     q6_k   n/256 × 128 low     | n/256 × 64 high | n/256 × 16 int8 scales | n/256 f16 d
 *
 * In the 4-bit planes of 32-blocks, byte j holds weight j in its low half and weight j + 16 in its high half.
 */
import type { Tensor } from '../../gpu/gpu';

export const weightKinds = [
  'f32',
  'f16',
  'bf16',
  'q8_0',
  'q4_0',
  'q4_1',
  'q5_0',
  'q5_1',
  'q4_k',
  'q5_k',
  'q6_k',
] as const;
export type WeightKind = (typeof weightKinds)[number];

interface Format {
  /** Weights in a block. */
  block: number;
  /** Bytes of a block in a file. */
  fileBytes: number;
  /** Bytes of a block in each plane, in order. */
  planes: readonly number[];
}

export const weightFormats: Record<WeightKind, Format> = {
  f32: { block: 1, fileBytes: 4, planes: [4] },
  f16: { block: 1, fileBytes: 2, planes: [2] },
  bf16: { block: 1, fileBytes: 2, planes: [2] },
  q8_0: { block: 32, fileBytes: 34, planes: [32, 2] },
  q4_0: { block: 32, fileBytes: 18, planes: [16, 2] },
  q4_1: { block: 32, fileBytes: 20, planes: [16, 4] },
  q5_0: { block: 32, fileBytes: 22, planes: [16, 4, 2] },
  q5_1: { block: 32, fileBytes: 24, planes: [16, 4, 4] },
  q4_k: { block: 256, fileBytes: 144, planes: [128, 16] },
  q5_k: { block: 256, fileBytes: 176, planes: [128, 32, 16] },
  q6_k: { block: 256, fileBytes: 210, planes: [128, 64, 16, 2] },
};

/** Whether rows of so many columns can be held in this kind: blocks don't straddle rows. */
export const fitsKind = (kind: WeightKind, columns: number): boolean => columns % weightFormats[kind].block === 0;

/** Bytes of a packed row. */
export function packedRowBytes(kind: WeightKind, columns: number): number {
  const { block, planes } = weightFormats[kind];
  if (columns % block !== 0) throw new RangeError(`rows of ${columns} values can't be stored as ${kind}`);
  const bytes = (columns / block) * planes.reduce((sum, plane) => sum + plane, 0);
  return Math.ceil(bytes / 16) * 16;
}

/** Byte offsets of a packed row's planes from its start. */
export function planeOffsets(kind: WeightKind, columns: number): number[] {
  const { block, planes } = weightFormats[kind];
  let next = 0;
  return planes.map((bytes) => {
    const at = next;
    next += (columns / block) * bytes;
    return at;
  });
}

/** A matrix in GPU memory; several parts, each with the rows that follow the last one's, when one buffer can't be bound. */
export interface PackedMatrix {
  readonly kind: WeightKind;
  readonly rows: number;
  readonly columns: number;
  readonly parts: readonly { readonly tensor: Tensor; readonly firstRow: number; readonly rows: number }[];
}
