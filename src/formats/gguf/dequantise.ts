/** @file Stored tensors as f32 on the CPU: norms, biases and rotary factors. Matrices are read on the GPU. */
import type { TensorEntry } from '../files/model-files';
import { readWhole } from '../files/whole-file';
import { storedFormats, type StoredType } from './stored-types';

/** The values of whole blocks. */
export function dequantise(type: StoredType, stored: Uint8Array): Float32Array<ArrayBuffer> {
  const { weights, bytes, read } = storedFormats[type];
  const count = stored.byteLength / bytes;
  if (!Number.isInteger(count)) throw new RangeError(`${stored.byteLength} bytes don't divide into blocks of ${type}`);
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
