/** @file Ragged attention in float64, straight from its definition, and its analytic gradients. */
import type { Segment } from '../../../src/nn/train/ragged';

export interface AttentionSizes {
  heads: number;
  kvHeads: number;
  headDim: number;
}

type Floats = ArrayLike<number>;

/** The keys that each token sees, in packed order. */
export function visibleKeys(segments: readonly Segment[]): number[][] {
  const keys: number[][] = [];
  for (const { start, end, prefixStart, prefixEnd } of segments) {
    for (let q = start; q < end; q++) {
      const seen: number[] = [];
      for (let k = prefixStart; k < prefixEnd; k++) seen.push(k);
      for (let k = start; k <= q; k++) seen.push(k);
      keys[q] = seen;
    }
  }
  return keys;
}

/** Where the heads lie in a row of qkv. */
function layout({ heads, kvHeads, headDim }: AttentionSizes) {
  const row = (heads + 2 * kvHeads) * headDim;
  const kvHead = (head: number) => Math.floor((head * kvHeads) / heads);
  return {
    row,
    query: (token: number, head: number) => token * row + head * headDim,
    key: (token: number, head: number) => token * row + (heads + kvHead(head)) * headDim,
    value: (token: number, head: number) => token * row + (heads + kvHeads + kvHead(head)) * headDim,
  };
}

function dot(a: Floats, aAt: number, b: Floats, bAt: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[aAt + i]! * b[bAt + i]!;
  return sum;
}

/** @returns out [tokens, heads·headDim], lse [tokens, heads], and the weights of each (token, head) over its keys. */
export function attentionForward(qkv: Floats, segments: readonly Segment[], sizes: AttentionSizes) {
  const { heads, headDim } = sizes;
  const at = layout(sizes);
  const keys = visibleKeys(segments);
  const out = new Float64Array(keys.length * heads * headDim);
  const lse = new Float64Array(keys.length * heads);
  const weights: Float64Array[] = [];
  keys.forEach((seen, q) => {
    for (let h = 0; h < heads; h++) {
      const scores = seen.map((k) => dot(qkv, at.query(q, h), qkv, at.key(k, h), headDim) / Math.sqrt(headDim));
      const peak = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - peak), 0);
      const weight = Float64Array.from(scores, (score) => Math.exp(score - peak) / total);
      lse[q * heads + h] = peak + Math.log(total);
      weights[q * heads + h] = weight;
      seen.forEach((k, i) => {
        for (let d = 0; d < headDim; d++) out[(q * heads + h) * headDim + d]! += weight[i]! * qkv[at.value(k, h) + d]!;
      });
    }
  });
  return { out, lse, weights };
}

/** @returns d_qkv, with the shape of qkv. */
export function attentionBackward(qkv: Floats, dOut: Floats, segments: readonly Segment[], sizes: AttentionSizes) {
  const { heads, headDim } = sizes;
  const at = layout(sizes);
  const keys = visibleKeys(segments);
  const { weights } = attentionForward(qkv, segments, sizes);
  const dQkv = new Float64Array(keys.length * at.row);
  keys.forEach((seen, q) => {
    for (let h = 0; h < heads; h++) {
      const weight = weights[q * heads + h]!;
      const outAt = (q * heads + h) * headDim;
      const dWeight = seen.map((k) => dot(dOut, outAt, qkv, at.value(k, h), headDim));
      const mean = dot(weight, 0, dWeight, 0, seen.length);
      seen.forEach((k, i) => {
        const dScore = (weight[i]! * (dWeight[i]! - mean)) / Math.sqrt(headDim);
        for (let d = 0; d < headDim; d++) {
          dQkv[at.query(q, h) + d]! += dScore * qkv[at.key(k, h) + d]!;
          dQkv[at.key(k, h) + d]! += dScore * qkv[at.query(q, h) + d]!;
          dQkv[at.value(k, h) + d]! += weight[i]! * dOut[outAt + d]!;
        }
      });
    }
  });
  return dQkv;
}
