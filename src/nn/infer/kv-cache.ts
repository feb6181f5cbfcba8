/**
 * @file The key–value cache of a decoder at inference: how it lies in memory (shaders/infer/attention/kv_cache.wesl), and the kernel
 * that fills it. A layer has two tensors, keys and values, each [slots][kvHeads][capacity][headDim]; a slot is one
 * sequence, and its positions go round a ring: position p lies at p % capacity.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import { grid, type Recorder } from '../../gpu/recorder';

/** f16 as packed pairs, which needs no shader-f16; q8 as int8 with an f32 scale for each head vector. */
export type CacheKind = 'f32' | 'f16' | 'q8';
export const cacheKinds: readonly CacheKind[] = ['f32', 'f16', 'q8'];

export interface CacheShape {
  slots: number;
  kvHeads: number;
  /** A multiple of 8. */
  headDim: number;
  /** Positions a slot holds. */
  capacity: number;
}

/** The value in `positions` of a row that holds no token. */
export const NO_POSITION = 0xffffffff;

/** Bytes of one of a layer's two tensors. */
export function cacheBytes(kind: CacheKind, { slots, kvHeads, headDim, capacity }: CacheShape): number {
  const vector = { f32: 4 * headDim, f16: 2 * headDim, q8: headDim + 4 }[kind];
  return slots * kvHeads * capacity * vector;
}

/** Conditions for kernels that import shaders/infer/attention/kv_cache.wesl. */
export const cacheConditions = (kind: CacheKind): Record<string, boolean> => ({
  CACHE_F32: kind === 'f32',
  CACHE_F16: kind === 'f16',
  CACHE_Q8: kind === 'q8',
});

/** @throws RangeError for heads that the cache kernels don't cover */
export function checkHeads({ heads, kvHeads, headDim }: { heads: number; kvHeads: number; headDim: number }): void {
  if (!(headDim >= 8 && headDim <= 512 && headDim % 8 === 0)) {
    throw new RangeError(`cached heads have a multiple of 8 up to 512 dimensions, not ${headDim}`);
  }
  if (!(kvHeads > 0 && heads % kvHeads === 0)) {
    throw new RangeError(`${heads} query heads cannot be shared out over ${kvHeads} key heads`);
  }
}

export interface QkvWriteOptions {
  heads: number;
  kvHeads: number;
  headDim: number;
  cache: CacheKind;
  /** RMSNorm of each query and key head, as Qwen3 has it. */
  qkNorm?: { epsilon: number } | undefined;
}

export interface QkvWriteTensors {
  /** f32 [tokens, (heads + 2 kvHeads) headDim]; the queries are normed and rotated in place, the rest is left. */
  qkv: Tensor;
  /** One layer's, `cacheBytes` long. */
  keys: Tensor;
  values: Tensor;
  /** u32 [rows], absolute; NO_POSITION: not cached. */
  positions: Tensor;
  /** f32 [rows, headDim / 2, 2]: cos and sin for each row's position, as `ropeTable` computes them. */
  rope: Tensor;
  /** f32 [headDim], with `qkNorm`. */
  qNorm?: Tensor | undefined;
  kNorm?: Tensor | undefined;
}

export interface QkvWriteSpan {
  /** The number of tokens, at most `capacity`: no two may fall on one place of the ring. */
  tokens: number;
  capacity: number;
  /** The row of `positions` and `rope` of token 0; 0 if left out. */
  firstRow?: number;
  /** Token t goes to slot `firstSlot + t * slotStride`: stride 0 for a piece of a prompt, 1 for one token a sequence. */
  firstSlot?: number;
  slotStride?: number;
}

/** Norms and rotates queries and keys, and puts keys and values into the cache. */
export class QkvWrite {
  private constructor(
    private readonly kernel: Kernel,
    private readonly itemsPerToken: number,
    private readonly itemsPerGroup: number,
  ) {}

  /** @throws RangeError for heads that the kernel doesn't cover */
  static async create(gpu: Gpu, { heads, kvHeads, headDim, cache, qkNorm }: QkvWriteOptions): Promise<QkvWrite> {
    checkHeads({ heads, kvHeads, headDim });
    const threads = Math.max(64, headDim / 8);
    const kernel = await gpu.kernel('infer/attention/kv_write', {
      constants: {
        HEADS: heads,
        KV_HEADS: kvHeads,
        HEAD_DIM: headDim,
        THREADS: threads,
        EPSILON: qkNorm?.epsilon ?? 0,
      },
      conditions: { ...cacheConditions(cache), QK_NORM: qkNorm !== undefined },
    });
    return new QkvWrite(kernel, heads + 2 * kvHeads, Math.floor(threads / (headDim / 8)));
  }

  record(recorder: Recorder, tensors: QkvWriteTensors, span: QkvWriteSpan): void {
    const { qkv, positions, rope, keys, values, qNorm, kNorm } = tensors;
    const { tokens, capacity, firstRow = 0, firstSlot = 0, slotStride = 0 } = span;
    if (slotStride === 0 && tokens > capacity) {
      throw new RangeError(`${tokens} tokens at once for a cache of ${capacity}`);
    }
    const bindings = [qkv, positions, rope, keys, values];
    if (qNorm && kNorm) bindings.push(qNorm, kNorm);
    recorder.dispatch(
      this.kernel,
      bindings,
      [tokens, firstRow, firstSlot, slotStride, capacity],
      grid(Math.ceil((tokens * this.itemsPerToken) / this.itemsPerGroup)),
    );
  }
}
