/** @file Models whose config ties the output layer to the embedding, and whose weights say otherwise. */
import type { TensorEntry } from '../files/model-files';
import { readTensor } from '../gguf/dequantise';
import { valuesOf } from './architecture';

const EMBEDDING = 'model.embed_tokens.weight';
const HEAD = 'lm_head.weight';

/** Larger matrices are compared by some of their rows, so that a model is checked before it is downloaded. */
const WHOLE_VALUES = 1 << 20;
const SAMPLED_ROWS = 16;

/**
 * Whether a tied model's weights have an output layer of their own, which Transformers then uses. Where they have only an
 * output layer, it is made the embedding, as there.
 * @param stored by name; may be changed
 */
export async function hasOwnHead(stored: Map<string, TensorEntry>, signal?: AbortSignal): Promise<boolean> {
  const head = stored.get(HEAD);
  if (!head) return false;
  const embedding = stored.get(EMBEDDING);
  if (!embedding) {
    stored.set(EMBEDDING, { ...head, name: EMBEDDING });
    return false;
  }
  if (String(head.shape) !== String(embedding.shape) || head.shape.length !== 2) return true;
  for (const [first, count] of rowsToCompare(head)) {
    const [a, b] = await Promise.all([head, embedding].map((entry) => readTensor(rowsOf(entry, first, count), signal)));
    if (!a!.every((value, i) => value === b![i])) return true;
  }
  return false;
}

function rowsToCompare(entry: TensorEntry): [first: number, count: number][] {
  const rows = entry.shape[0]!;
  if (valuesOf(entry) <= WHOLE_VALUES || rows <= SAMPLED_ROWS) return [[0, rows]];
  return Array.from({ length: SAMPLED_ROWS }, (_, i) => [Math.floor((i * (rows - 1)) / (SAMPLED_ROWS - 1)), 1]);
}

function rowsOf(entry: TensorEntry, first: number, count: number): TensorEntry {
  const [rows, columns] = entry.shape as [number, number];
  const rowBytes = entry.bytes / rows;
  return { ...entry, shape: [count, columns], begin: entry.begin + first * rowBytes, bytes: count * rowBytes };
}
