/** @file Attention over a key–value cache in float64, from its definition, and the cache's bytes read on the CPU. */
import { float16ToFloat32 } from '../../../src/base/half';
import type { CacheKind, CacheShape } from '../../../src/nn/infer/kv-cache';
import { rmsNorm } from '../reference';

type Numbers = ArrayLike<number>;

/** A cache tensor's contents as f32 [slots][kvHeads][capacity][headDim]. */
export function readCache(kind: CacheKind, words: Uint32Array, shape: CacheShape): Float64Array {
  const { slots, kvHeads, headDim, capacity } = shape;
  const out = new Float64Array(slots * kvHeads * capacity * headDim);
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const headWords = { f32: headDim, f16: headDim / 2, q8: headDim / 4 + 1 }[kind] * capacity;
  for (let i = 0; i < out.length; i++) {
    const dimension = i % headDim;
    const index = Math.floor(i / headDim) % capacity;
    const at = Math.floor(i / headDim / capacity) * headWords;
    const element = index * headDim + dimension;
    if (kind === 'f32') out[i] = floats[at + element]!;
    else if (kind === 'f16') out[i] = float16ToFloat32((words[at + (element >> 1)]! >>> (16 * (element & 1))) & 0xffff);
    else {
      const q = (words[at + (element >> 2)]! << (24 - 8 * (element & 3))) >> 24;
      out[i] = (q / 127) * floats[at + (capacity * headDim) / 4 + index]!;
    }
  }
  return out;
}

/** How far a stored number may be from its own, relative to the largest of its vector. */
export const cacheError = { f32: 2e-6, f16: 2 ** -10, q8: 0.51 / 127 };

/** A head normed (when there is a weight) and turned by its position. */
export function turnedHead(head: Numbers, norm: Numbers | null, epsilon: number, angles: Numbers): Float64Array {
  const x = norm ? rmsNorm(head, norm, epsilon).y : head;
  const half = head.length / 2;
  const out = new Float64Array(head.length);
  for (let i = 0; i < half; i++) {
    const [cosine, sine] = [angles[2 * i]!, angles[2 * i + 1]!];
    out[i] = x[i]! * cosine - x[i + half]! * sine;
    out[i + half] = x[i + half]! * cosine + x[i]! * sine;
  }
  return out;
}

/** softmax(q · k / √d) · v over the given keys and values, each [count][headDim] by its accessor. */
export function attend(q: Numbers, count: number, key: (i: number) => Numbers, value: (i: number) => Numbers) {
  const size = q.length;
  const scores = Array.from({ length: count }, (_, i) => {
    const k = key(i);
    let sum = 0;
    for (let d = 0; d < size; d++) sum += q[d]! * k[d]!;
    return sum / Math.sqrt(size);
  });
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const out = new Float64Array(size);
  let total = 0;
  scores.forEach((score, i) => {
    const p = Math.exp(score - most);
    const v = value(i);
    total += p;
    for (let d = 0; d < size; d++) out[d]! += p * v[d]!;
  });
  return out.map((x) => x / total);
}
