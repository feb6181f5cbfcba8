/** @file The conditions and constants for kernels that import `shaders/infer/weights.wesl`. */
import { packedRowBytes, planeOffsets, weightKinds, type WeightKind } from './packed';

/** One of KIND_F32, KIND_F16, …: the kind that is read. */
export function weightConditions(kind: WeightKind): Record<string, boolean> {
  return Object.fromEntries(weightKinds.map((other) => [`KIND_${other.toUpperCase()}`, other === kind]));
}

/**
 * The positions of a row's planes, in 32-bit words.
 * @param columns a multiple of 4, and of the kind's block
 * @throws RangeError when rows of so many columns can't be read
 */
export function weightConstants(kind: WeightKind, columns: number): Record<string, number> {
  if (columns % 4 !== 0) throw new RangeError(`rows of ${columns} weights can't be read four at a time`);
  const [, first = 0, second = 0, third = 0] = planeOffsets(kind, columns).map((bytes) => bytes / 4);
  return {
    WEIGHT_ROW_WORDS: packedRowBytes(kind, columns) / 4,
    WEIGHT_PLANE_1: first,
    WEIGHT_PLANE_2: second,
    WEIGHT_PLANE_3: third,
  };
}
