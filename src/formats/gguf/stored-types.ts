/**
 * @file The ways in which tensors are stored: plain floats and the blocks of ggml (github.com/ggml-org/ggml, ggml-common.h),
 * an entry each. GGUF's numbers, sizes, the layout in GPU memory (src/nn/infer/packed.ts) and reading on the CPU follow from
 * it. To add a type, add its entry, and how kernels read it: shaders/infer/weights.wesl for four weights,
 * shaders/infer/product/weight_chunks.wesl for the chunks of matrix–vector products.
 *
 * Values are exactly those of the `gguf` Python package: every step is rounded to f32 in its order.
 */
import { float16ToFloat32 } from '../../base/half';

/** Some bytes of a block that lie together in GPU memory with the same bytes of a row's other blocks. */
interface Plane {
  /** Where they begin in a block of a file. */
  from: number;
  bytes: number;
}

export interface StoredFormat {
  /** The type's number in ggml and in GGUF files. */
  ggml: number;
  /** Weights in a block; blocks don't straddle rows. */
  weights: number;
  /** Bytes of a block in a file. */
  bytes: number;
  /** How a block is divided up in GPU memory. */
  planes: readonly Plane[];
  /** A block has, besides its scale, a minimum to which its weights add. */
  hasMinimum: boolean;
  /** Reads the block at byte `at`; writes its weights to `values` from `out` on. */
  read: (data: DataView, at: number, values: Float32Array, out: number) => void;
}

type Entry = Omit<StoredFormat, 'bytes' | 'hasMinimum'> & { hasMinimum?: boolean };

/** @param entry.planes together hold all of the block's bytes */
const format = ({ hasMinimum = false, ...entry }: Entry): StoredFormat => ({
  ...entry,
  hasMinimum,
  bytes: entry.planes.reduce((sum, { bytes }) => sum + bytes, 0),
});
const plane = (from: number, bytes: number): Plane => ({ from, bytes });

const round = Math.fround;
const half = (data: DataView, at: number) => float16ToFloat32(data.getUint16(at, true));

/** 4-bit weights j in the low halves of 16 bytes, j + 16 in the high ones. */
const nibble = (data: DataView, at: number, i: number) =>
  i < 16 ? data.getUint8(at + i) & 15 : data.getUint8(at + i - 16) >> 4;

/** Blocks of 32 weights of 4 or 5 bits: scale, minimum or none, high bits or none, then the low bits. */
function readBlock32({ minimum, fifthBit }: { minimum: boolean; fifthBit: boolean }): StoredFormat['read'] {
  const highAt = minimum ? 4 : 2;
  const lowAt = highAt + (fifthBit ? 4 : 0);
  const zero = minimum ? 0 : fifthBit ? 16 : 8;
  return (data, at, values, out) => {
    const scale = half(data, at);
    const least = minimum ? half(data, at + 2) : 0;
    const high = fifthBit ? data.getUint32(at + highAt, true) : 0;
    for (let i = 0; i < 32; i++) {
      const level = nibble(data, at + lowAt, i) + (((high >>> i) & 1) << 4) - zero;
      values[out + i] = minimum ? round(scale * level) + least : scale * level;
    }
  };
}

/** The 6-bit scale and minimum of one of eight groups of 32, packed in 12 bytes. */
function scaleAndMinimum(data: DataView, at: number, group: number): [number, number] {
  const byte = (i: number) => data.getUint8(at + i);
  if (group < 4) return [byte(group) & 63, byte(group + 4) & 63];
  return [(byte(group + 4) & 15) | ((byte(group - 4) >> 6) << 4), (byte(group + 4) >> 4) | ((byte(group) >> 6) << 4)];
}

/** Blocks of 256 in eight groups: d, dmin, 12 bytes of scales and minima, high bits or none, low bits. */
function readBlock256({ fifthBit }: { fifthBit: boolean }): StoredFormat['read'] {
  const highAt = 16;
  const lowAt = fifthBit ? highAt + 32 : highAt;
  return (data, at, values, out) => {
    const d = half(data, at);
    const dMin = half(data, at + 2);
    for (let group = 0; group < 8; group++) {
      const [scale, minimum] = scaleAndMinimum(data, at + 4, group);
      const step = round(d * scale);
      const least = round(dMin * minimum);
      for (let i = 0; i < 32; i++) {
        // Two groups share 32 bytes, the first in the low halves.
        const low = (data.getUint8(at + lowAt + (group >> 1) * 32 + i) >> ((group & 1) * 4)) & 15;
        const high = fifthBit ? ((data.getUint8(at + highAt + i) >> group) & 1) << 4 : 0;
        values[out + group * 32 + i] = round(step * (low | high)) - least;
      }
    }
  };
}

/** Blocks of 256 in sixteen groups with 8-bit scales: 128 bytes of low bits, 64 of high bits, scales, d. */
function readQ6K(data: DataView, at: number, values: Float32Array, out: number): void {
  const d = half(data, at + 208);
  for (let i = 0; i < 256; i++) {
    // Each half of a block takes 64 bytes of low bits and 32 of high ones, four runs of 32 weights in each.
    const [part, run, j] = [i >> 7, (i >> 5) & 3, i & 31];
    const low = (data.getUint8(at + part * 64 + (run & 1) * 32 + j) >> ((run >> 1) * 4)) & 15;
    const high = (data.getUint8(at + 128 + part * 32 + j) >> (run * 2)) & 3;
    const step = round(d * data.getInt8(at + 192 + (i >> 4)));
    values[out + i] = step * ((low | (high << 4)) - 32);
  }
}

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

function readBf16(data: DataView, at: number, values: Float32Array, out: number): void {
  bits[0] = data.getUint16(at, true) << 16;
  values[out] = asFloat[0]!;
}

function readQ8(data: DataView, at: number, values: Float32Array, out: number): void {
  const scale = half(data, at);
  for (let i = 0; i < 32; i++) values[out + i] = scale * data.getInt8(at + 2 + i);
}

function readF32(data: DataView, at: number, values: Float32Array, out: number): void {
  values[out] = data.getFloat32(at, true);
}

function readF16(data: DataView, at: number, values: Float32Array, out: number): void {
  values[out] = half(data, at);
}

const formats = {
  F32: format({ ggml: 0, weights: 1, planes: [plane(0, 4)], read: readF32 }),
  F16: format({ ggml: 1, weights: 1, planes: [plane(0, 2)], read: readF16 }),
  BF16: format({ ggml: 30, weights: 1, planes: [plane(0, 2)], read: readBf16 }),
  Q8_0: format({ ggml: 8, weights: 32, planes: [plane(2, 32), plane(0, 2)], read: readQ8 }),
  Q4_0: format({
    ggml: 2,
    weights: 32,
    planes: [plane(2, 16), plane(0, 2)],
    read: readBlock32({ minimum: false, fifthBit: false }),
  }),
  Q4_1: format({
    ggml: 3,
    weights: 32,
    planes: [plane(4, 16), plane(0, 4)],
    hasMinimum: true,
    read: readBlock32({ minimum: true, fifthBit: false }),
  }),
  Q5_0: format({
    ggml: 6,
    weights: 32,
    planes: [plane(6, 16), plane(2, 4), plane(0, 2)],
    read: readBlock32({ minimum: false, fifthBit: true }),
  }),
  Q5_1: format({
    ggml: 7,
    weights: 32,
    planes: [plane(8, 16), plane(4, 4), plane(0, 4)],
    hasMinimum: true,
    read: readBlock32({ minimum: true, fifthBit: true }),
  }),
  Q4_K: format({
    ggml: 12,
    weights: 256,
    planes: [plane(16, 128), plane(0, 16)],
    hasMinimum: true,
    read: readBlock256({ fifthBit: false }),
  }),
  Q5_K: format({
    ggml: 13,
    weights: 256,
    planes: [plane(48, 128), plane(16, 32), plane(0, 16)],
    hasMinimum: true,
    read: readBlock256({ fifthBit: true }),
  }),
  Q6_K: format({
    ggml: 14,
    weights: 256,
    planes: [plane(0, 128), plane(128, 64), plane(192, 16), plane(208, 2)],
    read: readQ6K,
  }),
};

/** How a tensor is stored, by ggml's names. */
export type StoredType = keyof typeof formats;
export const storedFormats: Readonly<Record<StoredType, StoredFormat>> = formats;
export const storedTypes = Object.keys(formats) as StoredType[];

/** Bytes of so many weights as stored. @throws RangeError when they don't fill whole blocks */
export function storedBytes(type: StoredType, count: number): number {
  const { weights, bytes } = storedFormats[type];
  if (count % weights !== 0) throw new RangeError(`${count} values don't fill blocks of ${weights}, as ${type} has`);
  return (count / weights) * bytes;
}
