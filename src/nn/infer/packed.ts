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
import { storedFormats, storedTypes, type StoredFormat, type StoredType } from '../../formats/gguf/stored-types';
import type { Tensor } from '../../gpu/gpu';

/** How a packed matrix is held: the types that can be stored, in lower case. */
export type WeightKind = Lowercase<StoredType>;

/** The packed kind of a stored type that is kept as it is. */
export const kindOf = (type: StoredType): WeightKind => type.toLowerCase() as WeightKind;

export const weightKinds: readonly WeightKind[] = storedTypes.map(kindOf);

export const weightFormats = Object.fromEntries(
  storedTypes.map((type) => [kindOf(type), storedFormats[type]]),
) as Readonly<Record<WeightKind, StoredFormat>>;

/** Plain floats, as against blocks that are quantised. */
export const isFloat = (kind: WeightKind): boolean => weightFormats[kind].weights === 1;

/** Whether rows of so many columns can be held in this kind: blocks don't straddle rows. */
export const fitsKind = (kind: WeightKind, columns: number): boolean => columns % weightFormats[kind].weights === 0;

/** Bytes of a packed row. */
export function packedRowBytes(kind: WeightKind, columns: number): number {
  const { weights, bytes } = weightFormats[kind];
  if (columns % weights !== 0) throw new RangeError(`rows of ${columns} values can't be stored as ${kind}`);
  return Math.ceil(((columns / weights) * bytes) / 16) * 16;
}

/** Byte offsets of a packed row's planes from its start. */
export function planeOffsets(kind: WeightKind, columns: number): number[] {
  const { weights, planes } = weightFormats[kind];
  let next = 0;
  return planes.map(({ bytes }) => {
    const at = next;
    next += (columns / weights) * bytes;
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
