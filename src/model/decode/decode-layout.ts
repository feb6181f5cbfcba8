/** @file The constants, packed weights and buffer sizes of shaders/decode/decode.wesl. */
import { matrixBlocks, matrixSize, type MatrixBlock } from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { GpuTraits, Tensor } from '../../gpu/gpu';
import type { ParameterLayout, ParameterViews } from '../train/parameters';

export const NO_TOKEN = 0xffffffff;
/**
 * Threads per workgroup. On an emulated GPU every barrier switches between all of them: with 64, SwiftShader generates 1.6
 * times as fast as with 256.
 */
const THREADS = { hardware: 256, software: 64 };
const MAX_EOS = 2;

export interface GroupSamplerPlan {
  /** Rows (completions) that are sampled side by side; more are sampled in turns. */
  maxRows: number;
  /** Tokens of all prompts of one turn. */
  maxPromptTokens: number;
  /** Longest prompt and longest completion, in tokens. */
  maxPromptLength: number;
  maxNewTokens: number;
}

interface Matrix {
  weight: Tensor;
  outputs: number;
  inputs: number;
  /** First vec4 in the packed buffer. */
  base: number;
}

const threadsOf = (gpu: GpuTraits): number => (gpu.isSoftware ? THREADS.software : THREADS.hardware);

export class DecodeLayout {
  readonly qkvSize: number;
  readonly promptCapacity: number;
  /** Prompt and completion. */
  readonly contextLength: number;
  readonly rowsPerGroup: number;
  /** vec4s from the start of the packed buffer. */
  readonly ropeOffset: number;
  readonly constants: Record<string, number>;
  private readonly offsets: Record<MatrixBlock | 'layerStride' | 'head', number>;

  /** @throws RangeError when a row's state doesn't fit the GPU's workgroup memory, or for sizes the kernel doesn't cover */
  constructor(
    gpu: GpuTraits,
    private readonly config: DecoderConfig,
    parameters: ParameterLayout,
    private readonly plan: GroupSamplerPlan,
  ) {
    const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
    const { num_attention_heads: heads, num_key_value_heads: kvHeads, num_hidden_layers: layers } = config;
    if ([hidden, intermediate, headDim].some((size) => size % 4 !== 0)) {
      throw new RangeError('the decoder needs hidden, intermediate and head sizes that are multiples of 4');
    }
    if (config.eos_token_ids.length > MAX_EOS) {
      throw new RangeError(
        `the sampler stops at up to ${MAX_EOS} tokens; the config names ${config.eos_token_ids.length}`,
      );
    }
    this.qkvSize = matrixSize(config, 'qkv').outFeatures;
    this.promptCapacity = plan.maxPromptTokens;
    this.contextLength = plan.maxPromptLength + plan.maxNewTokens;
    this.rowsPerGroup = chooseRows(gpu, config, this.contextLength, plan.maxRows);

    let next = 0;
    const starts = matrixBlocks.map((block) => {
      const { inFeatures, outFeatures } = matrixSize(config, block);
      const start = next;
      next += (outFeatures * inFeatures) / 4;
      return [block, start] as const;
    });
    const offsets = Object.fromEntries(starts) as Record<MatrixBlock, number>;
    this.offsets = { ...offsets, layerStride: next, head: layers * next };
    this.ropeOffset = Math.ceil((this.offsets.head + (vocab * hidden) / 4) / 16) * 16;

    const block = parameters.layers.blocks;
    this.constants = {
      ROWS: this.rowsPerGroup,
      THREADS: threadsOf(gpu),
      HIDDEN: hidden,
      HEADS: heads,
      KV_HEADS: kvHeads,
      HEAD_DIM: headDim,
      INTERMEDIATE: intermediate,
      VOCAB: vocab,
      LAYERS: layers,
      CAPACITY: plan.maxNewTokens,
      CONTEXT: this.contextLength,
      EPSILON: config.rms_norm_eps,
      W_EMBED: parameters.model.embedding!.offset,
      W_FINAL_NORM: parameters.model.finalNorm!.offset,
      W_LAYER: parameters.layers.start,
      W_LAYER_STRIDE: parameters.layers.stride,
      W_NORM1: block.norm1!.offset,
      W_NORM2: block.norm2!.offset,
      W_QKV_BIAS: block.qkvBias?.offset ?? 0,
      W_Q_NORM: block.qNorm?.offset ?? 0,
      W_K_NORM: block.kNorm?.offset ?? 0,
      P_LAYER_STRIDE: this.offsets.layerStride,
      P_QKV: offsets.qkv,
      P_OUT: offsets.out,
      P_GATE_UP: offsets.gateUp,
      P_DOWN: offsets.down,
      P_HEAD: this.offsets.head,
      P_ROPE: this.ropeOffset,
    };
  }

  bytes(): Record<'packed' | 'prompt' | 'cache' | 'logits' | 'rows' | 'out', number> {
    const { config, plan } = this;
    const kv = 2 * config.num_key_value_heads * config.head_dim;
    return {
      packed: this.ropeOffset * 16 + this.contextLength * config.head_dim * 4,
      prompt: config.num_hidden_layers * this.promptCapacity * this.qkvSize * 4,
      cache: plan.maxRows * config.num_hidden_layers * plan.maxNewTokens * kv * 4,
      logits: plan.maxRows * config.vocab_size * 4,
      rows: plan.maxRows * 32,
      out: plan.maxRows * 2 * plan.maxNewTokens * 4,
    };
  }

  /** The matrices that are packed, and where to. */
  *matrices(params: ParameterViews): Generator<Matrix> {
    const { hidden_size: hidden, vocab_size: vocab } = this.config;
    const { offsets } = this;
    for (const [layer, views] of params.layers.entries()) {
      for (const block of matrixBlocks) {
        const { inFeatures, outFeatures } = matrixSize(this.config, block);
        const base = layer * offsets.layerStride + offsets[block];
        yield { weight: views[block]!, outputs: outFeatures, inputs: inFeatures, base };
      }
    }
    yield { weight: params.head, outputs: vocab, inputs: hidden, base: offsets.head };
  }
}

/** Bytes of workgroup memory of shaders/decode/decode.wesl with `rows` rows a workgroup. */
function decodeWorkgroupBytes(config: DecoderConfig, context: number, rows: number, threads: number): number {
  const {
    hidden_size: hidden,
    intermediate_size: intermediate,
    num_attention_heads: heads,
    head_dim: headDim,
  } = config;
  const qkv = (heads + 2 * config.num_key_value_heads) * headDim;
  const perRow =
    hidden +
    Math.max(hidden, heads * headDim, intermediate) +
    Math.max(qkv, 2 * intermediate) +
    heads * context +
    threads;
  // gathered, choices, and each row's state
  return rows * (4 * perRow + 40) + threads * 20 + 64;
}

/**
 * Rows that share a workgroup: more reuse each weight more often, fewer spread over more of the GPU. One measured best on
 * an H200 at 256 rows (docs/notes.md), whose many processors favour it; other GPUs were not measured. An emulated one has
 * nothing to spread over, so two rows share there.
 */
function chooseRows(gpu: GpuTraits, config: DecoderConfig, context: number, maxRows: number): number {
  const limit = gpu.device.limits.maxComputeWorkgroupStorageSize;
  const threads = threadsOf(gpu);
  const bytes = (rows: number) => decodeWorkgroupBytes(config, context, rows, threads);
  const fits = (rows: number) => bytes(rows) <= limit && rows * config.num_attention_heads <= threads;
  const wanted = gpu.isSoftware && maxRows >= 2 ? [2, 1] : [1];
  const rows = wanted.find(fits);
  if (rows === undefined) {
    throw new RangeError(
      `generating with this model needs ${bytes(1)} bytes of workgroup memory; this GPU has ${limit}. Choose a smaller model or a shorter context.`,
    );
  }
  return rows;
}
