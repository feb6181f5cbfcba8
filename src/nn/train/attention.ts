/**
 * @file Causal grouped-query attention over a ragged batch (./ragged.ts), forward and backward. `attentionShape` decides
 * how the work is cut into workgroups; `Attention` compiles and records it.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Kernel } from '../../gpu/kernel';
import type { Recorder } from '../../gpu/recorder';

export interface AttentionOptions {
  /** Query heads. */
  heads: number;
  /** Key and value heads; divides `heads`. */
  kvHeads: number;
  /** A multiple of 4, at most 128. */
  headDim: number;
  /** Overrides `attentionShape`'s choice. */
  shape?: AttentionShape;
}

/** How a workgroup cuts the score matrix: it owns `tile` rows and streams over `chunk` columns at a time. */
export interface AttentionShape {
  /** Tokens per tile, as for `attentionTiles`: 16 or 32. */
  tile: number;
  /** 8, 16 or 32. */
  chunk: number;
}

/**
 * The shapes to choose from, the fastest on an H200 first: at 17,261 tokens with heads of 32, 107 µs forward and 448 µs
 * backward, against 130 and 536 for 32×32, which reads each key and value half as often (docs/notes.md).
 */
export const ATTENTION_SHAPES: readonly AttentionShape[] = [
  { tile: 16, chunk: 16 },
  { tile: 16, chunk: 8 },
  { tile: 32, chunk: 16 },
  { tile: 32, chunk: 32 },
];

/** The lanes that share a row in shaders/train/layers/attention_tiles.wesl. */
const LANES = 8;
const MAX_HEAD_DIM = 128;
/** More than this would leave room for too few workgroups on a processor, where a device allows it at all. */
const MAX_WORKGROUP_BYTES = 32768;
const MAX_TILES = 65535;

/** Bytes of workgroup memory of the largest of the three kernels, the one for the gradients of keys and values. */
export function attentionWorkgroupBytes(headDim: number, { tile, chunk }: AttentionShape): number {
  const rowBytes = 16 * ((headDim / 4) | 1);
  const pairs = 8 * tile * (chunk | LANES);
  const queryStatistics = 2 * 4 * chunk;
  return 2 * (tile + chunk) * rowBytes + pairs + queryStatistics;
}

/**
 * The first of `ATTENTION_SHAPES` that fits into `workgroupBytes`, the device's maxComputeWorkgroupStorageSize.
 * @throws RangeError when none does.
 */
export function attentionShape(headDim: number, workgroupBytes: number): AttentionShape {
  const limit = Math.min(workgroupBytes, MAX_WORKGROUP_BYTES);
  const bytes = (shape: AttentionShape) => attentionWorkgroupBytes(headDim, shape);
  const shape = ATTENTION_SHAPES.find((candidate) => bytes(candidate) <= limit);
  if (!shape) {
    const least = Math.min(...ATTENTION_SHAPES.map(bytes));
    throw new RangeError(
      `attention with heads of ${headDim} needs ${least} bytes of workgroup memory; this GPU has ${workgroupBytes}`,
    );
  }
  return shape;
}

export interface AttentionInputs {
  /** [tokens, (heads + 2·kvHeads)·headDim]: query heads, key heads, value heads; RoPE already applied. */
  qkv: Tensor;
  /** [tileCount, TILE_WORDS] u32, from `attentionTiles(segments, attention.shape.tile)`. */
  tiles: Tensor;
  tileCount: number;
}

export interface AttentionOutputs {
  /** [tokens, heads·headDim] */
  out: Tensor;
  /** [tokens, heads]: log Σ exp of each query's scaled scores, which the backward pass needs. */
  lse: Tensor;
}

export interface AttentionGradients {
  /** [tokens, heads·headDim] */
  dOut: Tensor;
  /** [tokens, heads], scratch. */
  delta: Tensor;
  /** [tokens, (heads + 2·kvHeads)·headDim], overwritten. */
  dQkv: Tensor;
}

export class Attention {
  private constructor(
    readonly options: AttentionOptions,
    readonly shape: AttentionShape,
    private readonly attend: Kernel,
    private readonly queryGradients: Kernel,
    private readonly keyGradients: Kernel,
  ) {}

  /** @throws RangeError for sizes that the kernels don't cover, or too little workgroup memory. */
  static async create(gpu: Gpu, options: AttentionOptions): Promise<Attention> {
    const { heads, kvHeads, headDim } = options;
    if (!(headDim > 0 && headDim <= MAX_HEAD_DIM && headDim % 4 === 0)) {
      throw new RangeError(`attention heads have a multiple of 4 up to ${MAX_HEAD_DIM} dimensions, not ${headDim}`);
    }
    if (!(kvHeads > 0 && heads % kvHeads === 0)) {
      throw new RangeError(`${heads} query heads cannot be shared out over ${kvHeads} key heads`);
    }
    const workgroupBytes = gpu.device.limits.maxComputeWorkgroupStorageSize;
    const shape = options.shape ?? attentionShape(headDim, workgroupBytes);
    const constants = {
      HEADS: heads,
      KV_HEADS: kvHeads,
      HEAD_DIM: headDim,
      TILE: shape.tile,
      CHUNK: shape.chunk,
    };
    const conditions = { ROLLED: gpu.isSoftware };
    const [attend, queryGradients, keyGradients] = await Promise.all([
      gpu.kernel('train/layers/attention', { constants, conditions }),
      gpu.kernel('train/layers/attention_backward', { constants, conditions, entryPoint: 'query_gradients' }),
      gpu.kernel('train/layers/attention_backward', { constants, conditions, entryPoint: 'key_gradients' }),
    ]);
    return new Attention(options, shape, attend, queryGradients, keyGradients);
  }

  /** Writes the rows of `out` and `lse` that the tiles cover. */
  forward(recorder: Recorder, inputs: AttentionInputs, { out, lse }: AttentionOutputs): void {
    const { qkv, tiles, tileCount } = inputs;
    this.checkTiles(tileCount);
    recorder.dispatch(this.attend, [qkv, tiles, out, lse], [], [this.options.heads, tileCount]);
  }

  /** Writes the rows of `dQkv` that the tiles cover. `outputs` are what `forward` wrote. */
  backward(
    recorder: Recorder,
    inputs: AttentionInputs,
    { out, lse }: AttentionOutputs,
    { dOut, delta, dQkv }: AttentionGradients,
  ): void {
    const { qkv, tiles, tileCount } = inputs;
    this.checkTiles(tileCount);
    const bindings = [qkv, tiles, out, lse, dOut, delta, dQkv];
    recorder.dispatch(this.queryGradients, bindings, [], [this.options.heads, tileCount]);
    recorder.dispatch(this.keyGradients, bindings, [], [this.options.kvHeads, tileCount]);
  }

  private checkTiles(tileCount: number): void {
    if (tileCount > MAX_TILES)
      throw new RangeError(`${tileCount} attention tiles; a dispatch has at most ${MAX_TILES}`);
  }
}
