/**
 * @file Causal grouped-query attention of a piece of a prompt over the key–value cache (./kv-cache.ts), which holds the
 * piece's own keys and values already.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import type { Recorder } from '../../gpu/recorder';
import { cacheConditions, checkHeads, type CacheKind } from './kv-cache';

/** How a workgroup cuts the score matrix: it owns `tile` tokens and streams over `chunk` keys at a time. */
export interface PrefillAttentionShape {
  /** 16 or 32. */
  tile: number;
  /** 8, 16 or 32. */
  chunk: number;
}

/** The shapes to choose from; the one that reads keys and values least often comes first. */
export const PREFILL_ATTENTION_SHAPES: readonly PrefillAttentionShape[] = [
  { tile: 32, chunk: 32 },
  { tile: 16, chunk: 32 },
  { tile: 16, chunk: 16 },
  { tile: 16, chunk: 8 },
];

/** The lanes that share a row in shaders/infer/attention/attention_prefill.wesl. */
const LANES = 8;

/** Bytes of workgroup memory. */
export function prefillAttentionBytes(headDim: number, { tile, chunk }: PrefillAttentionShape): number {
  const rowBytes = 16 * ((headDim / 4) | 1);
  return (tile + chunk) * rowBytes + 4 * tile * (chunk | LANES) + 4 * tile * LANES;
}

/**
 * The first of `PREFILL_ATTENTION_SHAPES` that fits into `workgroupBytes`, the device's maxComputeWorkgroupStorageSize.
 * @throws RangeError when none does
 */
export function prefillAttentionShape(headDim: number, workgroupBytes: number): PrefillAttentionShape {
  const bytes = (shape: PrefillAttentionShape) => prefillAttentionBytes(headDim, shape);
  const shape = PREFILL_ATTENTION_SHAPES.find((candidate) => bytes(candidate) <= workgroupBytes);
  if (!shape) {
    const least = Math.min(...PREFILL_ATTENTION_SHAPES.map(bytes));
    throw new RangeError(
      `attention with heads of ${headDim} needs ${least} bytes of workgroup memory; this GPU has ${workgroupBytes}`,
    );
  }
  return shape;
}

export interface PrefillAttentionOptions {
  heads: number;
  /** Divides `heads`. */
  kvHeads: number;
  /** A multiple of 8. */
  headDim: number;
  cache: CacheKind;
  /** Overrides `prefillAttentionShape`'s choice. */
  shape?: PrefillAttentionShape;
}

export interface PrefillAttentionTensors {
  /** f32 [tokens, (heads + 2 kvHeads) headDim]: the queries come first, normed and rotated. The rest is not read. */
  qkv: Tensor;
  /** One layer's, as `cacheBytes` of ./kv-cache.ts has them. */
  keys: Tensor;
  values: Tensor;
  /** f32 [tokens, heads · headDim] */
  out: Tensor;
}

export interface PrefillAttentionSpan {
  /** The number of tokens, at most `capacity`. */
  tokens: number;
  /** The absolute position of token 0. */
  firstPosition: number;
  /** Positions of a slot's ring. */
  capacity: number;
  slot: number;
}

export class PrefillAttention {
  private constructor(
    private readonly kernel: Kernel,
    private readonly heads: number,
    readonly shape: PrefillAttentionShape,
  ) {}

  /** @throws RangeError for heads that the kernel doesn't cover */
  static async create(gpu: Gpu, options: PrefillAttentionOptions): Promise<PrefillAttention> {
    const { heads, kvHeads, headDim, cache } = options;
    checkHeads(options);
    const shape = options.shape ?? prefillAttentionShape(headDim, gpu.device.limits.maxComputeWorkgroupStorageSize);
    const kernel = await gpu.kernel('infer/attention/attention_prefill', {
      constants: { HEADS: heads, KV_HEADS: kvHeads, HEAD_DIM: headDim, TILE: shape.tile, CHUNK: shape.chunk },
      conditions: { ...cacheConditions(cache), ROLLED: gpu.isSoftware },
    });
    return new PrefillAttention(kernel, heads, shape);
  }

  /**
   * Token t, at position firstPosition + t, attends to itself and to every position before it that the ring still holds:
   * from max(0, firstPosition + tokens − capacity) on. The piece's last tokens have taken the place of what is older, so
   * once the ring is full its first tokens see up to tokens − 1 positions fewer than `capacity`.
   */
  record(recorder: Recorder, tensors: PrefillAttentionTensors, span: PrefillAttentionSpan): void {
    const { qkv, keys, values, out } = tensors;
    const { tokens, firstPosition, capacity, slot } = span;
    if (tokens > capacity) throw new RangeError(`${tokens} tokens at once for a cache of ${capacity}`);
    const oldest = Math.max(0, firstPosition + tokens - capacity);
    recorder.dispatch(
      this.kernel,
      [qkv, keys, values, out],
      [tokens, firstPosition - oldest, oldest % capacity, capacity, slot],
      [this.heads, Math.ceil(tokens / this.shape.tile)],
    );
  }
}
