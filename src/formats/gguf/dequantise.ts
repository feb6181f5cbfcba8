/**
 * @file Stored tensors as f32 on the CPU, exactly as the `gguf` Python package reads them: every step is rounded to f32 in
 * its order. For small tensors (norms, biases, rotary factors) and for tests; matrices are read on the GPU.
 * Blocks as in ggml (github.com/ggml-org/ggml, ggml-common.h).
 */
import { float16ToFloat32 } from '../../base/half';
import type { StoredType, TensorEntry } from '../files/model-files';
import { readWhole } from '../files/whole-file';

interface Block {
  /** Weights in a block, and its bytes. */
  weights: number;
  bytes: number;
  /** Writes a block's weights at `out`. */
  read: (data: DataView, at: number, values: Float32Array, out: number) => void;
}

const round = Math.fround;
const half = (data: DataView, at: number) => float16ToFloat32(data.getUint16(at, true));

/** 4-bit weights j in the low halves of 16 bytes, j + 16 in the high ones. */
const nibble = (data: DataView, at: number, i: number) =>
  i < 16 ? data.getUint8(at + i) & 15 : data.getUint8(at + i - 16) >> 4;

/** Blocks of 32 weights of 4 or 5 bits: scale, minimum or none, high bits or none, then the low bits. */
function block32(options: { minimum: boolean; fifthBit: boolean }): Block {
  const { minimum, fifthBit } = options;
  const highAt = minimum ? 4 : 2;
  const lowAt = highAt + (fifthBit ? 4 : 0);
  const zero = minimum ? 0 : fifthBit ? 16 : 8;
  return {
    weights: 32,
    bytes: lowAt + 16,
    read(data, at, values, out) {
      const scale = half(data, at);
      const least = minimum ? half(data, at + 2) : 0;
      const high = fifthBit ? data.getUint32(at + highAt, true) : 0;
      for (let i = 0; i < 32; i++) {
        const level = nibble(data, at + lowAt, i) + (((high >>> i) & 1) << 4) - zero;
        values[out + i] = minimum ? round(scale * level) + least : scale * level;
      }
    },
  };
}

/** The 6-bit scale and minimum of one of eight groups of 32, packed in 12 bytes. */
function scaleAndMinimum(data: DataView, at: number, group: number): [number, number] {
  const byte = (i: number) => data.getUint8(at + i);
  if (group < 4) return [byte(group) & 63, byte(group + 4) & 63];
  return [(byte(group + 4) & 15) | ((byte(group - 4) >> 6) << 4), (byte(group + 4) >> 4) | ((byte(group) >> 6) << 4)];
}

/** Blocks of 256 in eight groups: d, dmin, 12 bytes of scales and minima, high bits or none, low bits. */
function block256(fifthBit: boolean): Block {
  const highAt = 16;
  const lowAt = fifthBit ? highAt + 32 : highAt;
  return {
    weights: 256,
    bytes: lowAt + 128,
    read(data, at, values, out) {
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
    },
  };
}

/** Blocks of 256 in sixteen groups with 8-bit scales: 128 bytes of low bits, 64 of high bits, scales, d. */
const q6k: Block = {
  weights: 256,
  bytes: 210,
  read(data, at, values, out) {
    const d = half(data, at + 208);
    for (let i = 0; i < 256; i++) {
      // Each half of a block takes 64 bytes of low bits and 32 of high ones, four runs of 32 weights in each.
      const [part, run, j] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = (data.getUint8(at + part * 64 + (run & 1) * 32 + j) >> ((run >> 1) * 4)) & 15;
      const high = (data.getUint8(at + 128 + part * 32 + j) >> (run * 2)) & 3;
      const step = round(d * data.getInt8(at + 192 + (i >> 4)));
      values[out + i] = step * ((low | (high << 4)) - 32);
    }
  },
};

const blocks: Record<StoredType, Block> = {
  F32: { weights: 1, bytes: 4, read: (data, at, values, out) => (values[out] = data.getFloat32(at, true)) },
  F16: { weights: 1, bytes: 2, read: (data, at, values, out) => (values[out] = half(data, at)) },
  BF16: {
    weights: 1,
    bytes: 2,
    read: (data, at, values, out) => {
      bits[0] = data.getUint16(at, true) << 16;
      values[out] = asFloat[0]!;
    },
  },
  Q8_0: {
    weights: 32,
    bytes: 34,
    read(data, at, values, out) {
      const scale = half(data, at);
      for (let i = 0; i < 32; i++) values[out + i] = scale * data.getInt8(at + 2 + i);
    },
  },
  Q4_0: block32({ minimum: false, fifthBit: false }),
  Q4_1: block32({ minimum: true, fifthBit: false }),
  Q5_0: block32({ minimum: false, fifthBit: true }),
  Q5_1: block32({ minimum: true, fifthBit: true }),
  Q4_K: block256(false),
  Q5_K: block256(true),
  Q6_K: q6k,
};
const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

/** Weights in a block of the type, and its bytes. */
export const blockSize = (type: StoredType): { weights: number; bytes: number } => blocks[type];

/** Bytes of so many weights as stored. @throws RangeError when they don't fill whole blocks */
export function storedBytes(type: StoredType, count: number): number {
  const { weights, bytes } = blocks[type];
  if (count % weights !== 0) throw new RangeError(`${count} values don't fill blocks of ${weights}, as ${type} has`);
  return (count / weights) * bytes;
}

/** The values of whole blocks. */
export function dequantise(type: StoredType, stored: Uint8Array): Float32Array<ArrayBuffer> {
  const { weights, bytes, read } = blocks[type];
  const count = stored.byteLength / bytes;
  if (!Number.isInteger(count)) throw new RangeError(`${stored.byteLength} bytes are no whole blocks of ${type}`);
  const data = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const values = new Float32Array(count * weights);
  for (let i = 0; i < count; i++) read(data, i * bytes, values, i * weights);
  return values;
}

/**
 * A tensor's values, row-major in Hugging Face's order of rows.
 * @throws Error when the file gives fewer bytes than the tensor has; whatever reading throws
 */
export async function readTensor(entry: TensorEntry, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
  const stored = await readWhole(entry.file, entry.bytes, signal, entry.begin, entry.begin + entry.bytes);
  const values = dequantise(entry.type, stored);
  return entry.interleavedHeads ? deinterleaved(values, entry.shape[0]!, entry.interleavedHeads) : values;
}

/** Rows out of the order described at `TensorEntry.interleavedHeads`. */
function deinterleaved(values: Float32Array, rows: number, heads: number): Float32Array<ArrayBuffer> {
  const width = values.length / rows;
  const headDim = rows / heads;
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const [start, r] = [row - (row % headDim), row % headDim];
    const stored = start + (r < headDim / 2 ? 2 * r : 2 * (r - headDim / 2) + 1);
    out.set(values.subarray(stored * width, (stored + 1) * width), row * width);
  }
  return out;
}
