/** @file Finds the weight that holds NaN or infinity, once a model's answers show that one does. */
import { dequantise } from './gguf/dequantise';
import { storedFormats, type StoredType } from './gguf/stored-types';
import type { TensorEntry } from './files/model-files';
import type { Model } from './model';

/** Blocks are converted so many bytes at a time. */
const PIECE_BYTES = 1 << 22;

/**
 * The name of the first tensor with a value that isn't finite, in the order of the model; null when all are finite. Reads
 * all weights up to there.
 * @throws whatever reading throws; AbortError
 */
export async function findNotFinite(
  model: Pick<Model, 'tensors' | 'adapter'>,
  signal?: AbortSignal,
): Promise<string | null> {
  for (const [name, { a, b, scale }] of model.adapter?.modules ?? []) {
    if (!Number.isFinite(scale) || hasNotFinite(a) || hasNotFinite(b)) return `${name} of the adapter`;
  }
  for (const [name, entry] of model.tensors) if (await tensorIsBroken(entry, signal)) return name;
  return null;
}

async function tensorIsBroken({ file, begin, bytes, type }: TensorEntry, signal?: AbortSignal): Promise<boolean> {
  const block = storedFormats[type].bytes;
  let rest = new Uint8Array();
  for await (const piece of file.read(begin, begin + bytes, signal)) {
    const joined = new Uint8Array(rest.length + piece.length);
    joined.set(rest);
    joined.set(piece, rest.length);
    const whole = joined.length - (joined.length % block);
    if (hasNotFiniteBlocks(type, joined.subarray(0, whole), block)) return true;
    rest = joined.slice(whole);
  }
  return false;
}

function hasNotFiniteBlocks(type: StoredType, stored: Uint8Array, block: number): boolean {
  const step = Math.max(block, PIECE_BYTES - (PIECE_BYTES % block));
  for (let at = 0; at < stored.length; at += step) {
    if (hasNotFinite(dequantise(type, stored.subarray(at, at + step)))) return true;
  }
  return false;
}

function hasNotFinite(values: Float32Array): boolean {
  // One that isn't finite makes the sum so; a sum that overflows is checked again.
  let sum = 0;
  for (const value of values) sum += value;
  return !Number.isFinite(sum) && !values.every((value) => Number.isFinite(value));
}
