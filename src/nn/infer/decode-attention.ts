/**
 * @file Attention of one new token for each of several sequences over the key–value cache, with the norm and rotation of
 * queries and keys and the cache write: one dispatch for a short context, two for a long one.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import type { Recorder } from '../../gpu/recorder';
import { cacheConditions, checkHeads, type CacheKind } from './kv-cache';

export interface DecodeAttentionOptions {
  heads: number;
  kvHeads: number;
  /** A multiple of 8. */
  headDim: number;
  cache: CacheKind;
  /** Positions a slot of the cache holds. */
  capacity: number;
  /** Sequences at once, at most. */
  maxSlots: number;
  /** RMSNorm of each query and key head, as Qwen3 has it. */
  qkNorm?: { epsilon: number } | undefined;
  /** Overrides what the GPU suggests. */
  shape?: Partial<DecodeAttentionShape>;
}

/** How the work is divided among workgroups and threads. */
export interface DecodeAttentionShape {
  /** Threads per workgroup. */
  threads: number;
  /** Threads that share a key; divides `threads`. */
  keyLanes: number;
  /** The least and the most cache positions per workgroup. */
  minKeys: number;
  maxKeys: number;
  /** Workgroups to aim for, so that the GPU is full. */
  workgroups: number;
}

/** The best of eleven on an H200 at 12 heads of 128 and 2 key heads: 13 µs at 512 tokens, 24 at 4,096. */
const GPU_SHAPE: DecodeAttentionShape = { threads: 256, keyLanes: 8, minKeys: 32, maxKeys: 128, workgroups: 128 };
/** An emulated GPU has few cores, and pays for barriers. */
const SOFTWARE_SHAPE: DecodeAttentionShape = { threads: 32, keyLanes: 1, minKeys: 128, maxKeys: 256, workgroups: 8 };

export interface DecodeAttentionTensors {
  /** f32 [slots, (heads + 2 kvHeads) headDim], as projected; left as it is. */
  qkv: Tensor;
  /** One layer's, `cacheBytes` long; the new tokens' are written. */
  keys: Tensor;
  values: Tensor;
  /** u32 [rows], absolute; NO_POSITION: the slot has no token, and its part of `out` is left. */
  positions: Tensor;
  /** f32 [rows, headDim / 2, 2]: cos and sin for each row's position, as `ropeTable` computes them. */
  rope: Tensor;
  /** f32 [headDim], with `qkNorm`. */
  qNorm?: Tensor | undefined;
  kNorm?: Tensor | undefined;
  /** Scratch, `decodeScratchBytes` long. */
  partials: Tensor;
  /** f32 [slots, heads · headDim] */
  out: Tensor;
}

export interface DecodeAttentionSpan {
  /** New tokens: token t is of slot `firstSlot + t`, and row `firstRow + t` of `positions` and `rope` is its. */
  slots: number;
  firstSlot?: number;
  firstRow?: number;
  /** The largest of these tokens' positions, plus 1. */
  longest: number;
}

export class DecodeAttention {
  private constructor(
    private readonly options: DecodeAttentionOptions,
    private readonly shape: DecodeAttentionShape,
    private readonly attend: Kernel,
    private readonly combine: Kernel,
  ) {}

  /** @throws RangeError for heads that the kernel doesn't cover, or too little workgroup memory */
  static async create(gpu: Gpu, options: DecodeAttentionOptions): Promise<DecodeAttention> {
    checkHeads(options);
    const { heads, kvHeads, headDim, cache, qkNorm } = options;
    const shape = decodeAttentionShape(gpu, options);
    const { threads, keyLanes, maxKeys } = shape;
    const limit = gpu.device.limits.maxComputeWorkgroupStorageSize;
    const headsAtOnce = [4, 2, 1].find((count) => workgroupBytes(options, shape, count) <= limit);
    if (headsAtOnce === undefined) {
      throw new RangeError(
        `attention with ${heads / kvHeads} heads of ${headDim} to a key needs ${workgroupBytes(options, shape, 1)} bytes of workgroup memory; this GPU has ${limit}`,
      );
    }
    const [attend, combine] = await Promise.all([
      gpu.kernel('infer/attention/attention_decode', {
        constants: {
          HEADS: heads,
          KV_HEADS: kvHeads,
          HEAD_DIM: headDim,
          THREADS: threads,
          KEY_LANES: keyLanes,
          MAX_KEYS: maxKeys,
          HEADS_AT_ONCE: Math.min(headsAtOnce, heads / kvHeads),
          EPSILON: qkNorm?.epsilon ?? 0,
        },
        conditions: { ...cacheConditions(cache), QK_NORM: qkNorm !== undefined, ROLLED: gpu.isSoftware },
      }),
      gpu.kernel('infer/attention/attention_decode_combine', {
        constants: { HEADS: heads, HEAD_DIM: headDim, THREADS: Math.max(gpu.isSoftware ? 32 : 256, headDim / 4) },
      }),
    ]);
    return new DecodeAttention(options, shape, attend, combine);
  }

  /** Writes `out`, and the new keys and values. */
  record(recorder: Recorder, tensors: DecodeAttentionTensors, span: DecodeAttentionSpan): void {
    const { qkv, positions, rope, keys, values, qNorm, kNorm, partials, out } = tensors;
    const { slots, firstSlot = 0, firstRow = 0, longest } = span;
    const { heads, kvHeads, capacity, maxSlots } = this.options;
    if (slots > maxSlots) throw new RangeError(`${slots} sequences; planned for ${maxSlots}`);
    const { keys: stretch, stretches } = this.stretches(slots, longest);
    const bindings = [qkv, positions, rope, keys, values, stretches === 1 ? out : partials];
    if (qNorm && kNorm) bindings.push(qNorm, kNorm);
    recorder.dispatch(
      this.attend,
      bindings,
      [firstRow, firstSlot, capacity, stretch, NO_BOUND],
      [kvHeads, stretches, slots],
    );
    if (stretches > 1) {
      recorder.dispatch(
        this.combine,
        [partials, positions, out],
        [firstRow, capacity, stretch, stretches],
        [heads, slots],
      );
    }
  }

  /** How a context of `longest` is cut: keys a workgroup, and how many workgroups that makes for a head and slot. */
  stretches(slots: number, longest: number): { keys: number; stretches: number } {
    const { minKeys, maxKeys } = this.shape;
    const used = Math.min(longest, this.options.capacity);
    const even = Math.ceil(used / stretchesWanted(this.shape, this.options, slots));
    const keys = Math.min(maxKeys, Math.max(minKeys, Math.ceil(even / 16) * 16));
    return { keys, stretches: Math.ceil(used / keys) };
  }
}

/** Bytes of the scratch buffer; enough for an emulated GPU too, which cuts less. */
export function decodeScratchBytes(
  options: Pick<DecodeAttentionOptions, 'heads' | 'kvHeads' | 'headDim' | 'capacity' | 'maxSlots' | 'shape'>,
): number {
  const { heads, headDim, capacity, maxSlots } = options;
  const shape = { ...GPU_SHAPE, ...options.shape };
  let most = 0;
  for (let slots = 1; slots <= maxSlots; slots++) {
    const stretches = Math.min(
      Math.ceil(capacity / shape.minKeys),
      Math.max(stretchesWanted(shape, options, slots), Math.ceil(capacity / shape.maxKeys)),
    );
    most = Math.max(most, slots * stretches);
  }
  return most * heads * (headDim + 4) * 4;
}

function decodeAttentionShape(
  gpu: Pick<Gpu, 'isSoftware'>,
  { headDim, shape }: DecodeAttentionOptions,
): DecodeAttentionShape {
  const base = gpu.isSoftware ? SOFTWARE_SHAPE : GPU_SHAPE;
  // Each vec4 of a head needs an invocation.
  return { ...base, threads: Math.max(base.threads, Math.ceil(headDim / 128) * 32), ...shape };
}

/** See `bound` in shaders/infer/attention/attention_decode.wesl. */
const NO_BOUND = 0xffffffff;

const stretchesWanted = (shape: DecodeAttentionShape, { kvHeads }: { kvHeads: number }, slots: number): number =>
  Math.max(1, Math.floor(shape.workgroups / (kvHeads * slots)));

/** Workgroup memory of shaders/infer/attention/attention_decode.wesl. */
function workgroupBytes(
  { heads, kvHeads, headDim }: DecodeAttentionOptions,
  { threads, maxKeys }: DecodeAttentionShape,
  headsAtOnce: number,
): number {
  const group = heads / kvHeads;
  return 4 * ((group + 2) * headDim + group * (maxKeys + threads) + 4 * headsAtOnce * threads);
}
