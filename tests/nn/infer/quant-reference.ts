/** @file Quantised weights on the CPU: random blocks as a file holds them, what they mean, and how they lie on the GPU. */
import type { Gpu, Tensor } from '../../../src/gpu/gpu';
import {
  packedRowBytes,
  planeOffsets,
  weightFormats,
  type PackedMatrix,
  type WeightKind,
} from '../../../src/nn/infer/packed';

/** Where the values of each plane begin in a block of a file. */
const fields: Record<WeightKind, readonly number[]> = {
  f32: [0],
  f16: [0],
  bf16: [0],
  q8_0: [2, 0],
  q4_0: [2, 0],
  q4_1: [4, 0],
  q5_0: [6, 2, 0],
  q5_1: [8, 4, 0],
  q4_k: [16, 0],
  q5_k: [48, 16, 0],
  q6_k: [0, 128, 192, 208],
};

/** Where a block of a file holds f16 scales and minima, which can't be random bits. */
const halves: Partial<Record<WeightKind, readonly number[]>> = {
  f16: [0],
  q8_0: [0],
  q4_0: [0],
  q4_1: [0, 2],
  q5_0: [0],
  q5_1: [0, 2],
  q4_k: [0, 2],
  q5_k: [0, 2],
  q6_k: [208],
};

export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Rows of random weights of a kind, as a file holds them: every bit pattern of the numbers, scales of about 1/64. */
export function randomBlocks(random: { next(): number }, kind: WeightKind, rows: number, columns: number) {
  const { weights: block, bytes: fileBytes } = weightFormats[kind];
  const blocks = (rows * columns) / block;
  if (kind === 'f32') {
    return new Uint8Array(Float32Array.from({ length: blocks }, () => random.next() - 0.45).buffer);
  }
  const bytes = Uint8Array.from({ length: blocks * fileBytes }, () => Math.floor(256 * random.next()));
  const view = new DataView(bytes.buffer);
  for (let b = 0; b < blocks; b++) {
    for (const field of halves[kind] ?? []) {
      const at = b * fileBytes + field;
      // Exponents from 2^-8 to 2^-5, either sign.
      view.setUint16(at, (view.getUint16(at, true) & 0x83ff) | ((7 + Math.floor(4 * random.next())) << 10), true);
    }
    if (kind === 'bf16') {
      const at = 2 * b;
      view.setUint16(at, (view.getUint16(at, true) & 0x807f) | ((118 + Math.floor(4 * random.next())) << 7), true);
    }
  }
  return bytes;
}

/** The values of blocks, written from ggml's definitions. */
export function dequantise(kind: WeightKind, bytes: Uint8Array): Float32Array {
  const { weights: block, bytes: fileBytes } = weightFormats[kind];
  const count = bytes.length / fileBytes;
  const out = new Float32Array(count * block);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let b = 0; b < count; b++) {
    const at = b * fileBytes;
    const half = (i: number) => halfToFloat(view.getUint16(at + i, true));
    const byte = (i: number) => bytes[at + i]!;
    const int8 = (i: number) => view.getInt8(at + i);
    /** The 6-bit scale and minimum of sub-block j of q4_k and q5_k. */
    const scale = (j: number): [number, number] =>
      j < 4
        ? [byte(4 + j) & 63, byte(8 + j) & 63]
        : [(byte(8 + j) & 15) | ((byte(j) >> 6) << 4), (byte(8 + j) >> 4) | ((byte(4 + j) >> 6) << 4)];
    const value = (i: number): number => {
      const nibble = (from: number) => (i % 32 < 16 ? byte(from + (i % 32)) & 15 : byte(from + (i % 32) - 16) >> 4);
      const kNibble = (from: number) => (byte(from + 32 * (i >> 6) + (i & 31)) >> (i & 32 ? 4 : 0)) & 15;
      switch (kind) {
        case 'f32':
          return view.getFloat32(at, true);
        case 'f16':
          return half(0);
        case 'bf16':
          return new Float32Array(Uint32Array.of(view.getUint16(at, true) << 16).buffer)[0]!;
        case 'q8_0':
          return half(0) * int8(2 + i);
        case 'q4_0':
          return half(0) * (nibble(2) - 8);
        case 'q4_1':
          return half(0) * nibble(4) + half(2);
        case 'q5_0':
          return half(0) * ((nibble(6) | (((view.getUint32(at + 2, true) >>> i) & 1) << 4)) - 16);
        case 'q5_1':
          return half(0) * (nibble(8) | (((view.getUint32(at + 4, true) >>> i) & 1) << 4)) + half(2);
        case 'q4_k':
        case 'q5_k': {
          const [s, m] = scale(i >> 5);
          const high = kind === 'q5_k' ? ((byte(16 + (i & 31)) >> (i >> 5)) & 1) << 4 : 0;
          return half(0) * s * (kNibble(kind === 'q5_k' ? 48 : 16) | high) - half(2) * m;
        }
        case 'q6_k': {
          const j = i & 127;
          const low = (byte(64 * (i >> 7) + (j & 63)) >> (j & 64 ? 4 : 0)) & 15;
          const high = (byte(128 + 32 * (i >> 7) + (j & 31)) >> (2 * (j >> 5))) & 3;
          return half(208) * int8(192 + (i >> 4)) * ((low | (high << 4)) - 32);
        }
      }
    };
    for (let i = 0; i < block; i++) out[b * block + i] = value(i);
  }
  return out;
}

/** A file's rows in the layout of src/nn/infer/packed.ts. */
export function packRows(kind: WeightKind, bytes: Uint8Array, columns: number): Uint8Array<ArrayBuffer> {
  const { weights: block, bytes: fileBytes, planes } = weightFormats[kind];
  const blocks = columns / block;
  const rows = bytes.length / (blocks * fileBytes);
  const rowBytes = packedRowBytes(kind, columns);
  const offsets = planeOffsets(kind, columns);
  const out = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < blocks; b++) {
      planes.forEach(({ bytes: size }, p) => {
        const from = (row * blocks + b) * fileBytes + fields[kind][p]!;
        out.set(bytes.subarray(from, from + size), row * rowBytes + offsets[p]! + b * size);
      });
    }
  }
  return out;
}

/**
 * A matrix on the GPU from a file's rows.
 * @param parts rows of each part; all in one by default
 */
export function uploadMatrix(
  gpu: Gpu,
  kind: WeightKind,
  bytes: Uint8Array,
  columns: number,
  parts?: number[],
): PackedMatrix {
  const packed = packRows(kind, bytes, columns);
  const rowBytes = packedRowBytes(kind, columns);
  const rows = packed.length / rowBytes;
  let firstRow = 0;
  return {
    kind,
    rows,
    columns,
    parts: (parts ?? [rows]).map((count) => {
      const tensor = gpu.alloc('weights', count * rowBytes);
      gpu.write(tensor, packed.subarray(firstRow * rowBytes, (firstRow + count) * rowBytes));
      const part = { tensor, firstRow, rows: count };
      firstRow += count;
      return part;
    }),
  };
}

/** An empty matrix on the GPU. */
export function emptyMatrix(
  gpu: Gpu,
  kind: WeightKind,
  rows: number,
  columns: number,
  parts: number[] = [rows],
): PackedMatrix {
  let firstRow = 0;
  return {
    kind,
    rows,
    columns,
    parts: parts.map((count) => {
      const part = { tensor: gpu.alloc('weights', count * packedRowBytes(kind, columns)), firstRow, rows: count };
      firstRow += count;
      return part;
    }),
  };
}

export const tensorsOf = (matrix: PackedMatrix): Tensor[] => matrix.parts.map((part) => part.tensor);
