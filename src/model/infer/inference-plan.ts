/** @file How large an `InferenceModel`'s buffers are, in bytes by what they are for, before anything is allocated. */
import { matrixSize } from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { StoredType } from '../../formats/gguf/stored-types';
import { decodeScratchBytes } from '../../nn/infer/decode-attention';
import { cacheBytes, type CacheKind, type CacheShape } from '../../nn/infer/kv-cache';
import { planWeights, type Quantization, type WeightPlan } from './weight-plan';

export interface InferenceOptions {
  /** The kind that weights stored as floats are converted to; 'stored' keeps them. */
  quant?: Quantization;
  /** How keys and values are kept. */
  cache?: CacheKind;
  /** Tokens that the model keeps in view. */
  context?: number;
  /** Sequences that are continued side by side. */
  slots?: number;
  /** Tokens of a prompt that are computed at once. */
  prefillTokens?: number;
  /** Names of the tensors that an adapter will be added to. */
  adapted?: ReadonlySet<string>;
}

export interface InferencePlan {
  weights: WeightPlan;
  cache: CacheKind;
  context: number;
  slots: number;
  prefillTokens: number;
  /** Bytes of GPU memory by what they are for. */
  bytes: { weights: number; cache: number; work: number };
}

/** Enough for a long chain of thought. People choose more themselves, since it costs memory. */
const DEFAULT_CONTEXT = 4096;
const DEFAULT_PREFILL = 512;
/** Tokens of a sequence that one submission draws at most. */
export const DECODE_STEPS = 16;

/**
 * @param typeOf how the tensor of that name is stored
 * @throws RangeError for a context or a number of slots that is not possible
 */
export function inferencePlan(
  config: DecoderConfig,
  typeOf: (name: string) => StoredType,
  options: InferenceOptions = {},
): InferencePlan {
  const { quant = 'stored', cache = 'f16', slots = 1 } = options;
  const longest = config.max_position_embeddings;
  const context = options.context ?? Math.min(longest, DEFAULT_CONTEXT);
  if (!Number.isInteger(context) || context < 1 || context > longest) {
    throw new RangeError(`context must be a whole number from 1 to the model's ${longest}, not ${context}`);
  }
  if (!Number.isInteger(slots) || slots < 1) throw new RangeError(`slots must be a whole number from 1, not ${slots}`);
  const prefillTokens = Math.min(context, options.prefillTokens ?? DEFAULT_PREFILL);
  const weights = planWeights(config, typeOf, quant, options.adapted);
  const sizes = { context, slots, prefillTokens };
  const work = Object.values(workBytes(config, sizes)).reduce((sum, bytes) => sum + bytes, 0);
  const kv = 2 * config.num_hidden_layers * cacheBytes(cache, cacheShape(config, sizes));
  return { weights, cache, ...sizes, bytes: { weights: weights.bytes, cache: kv, work } };
}

type Sizes = Pick<InferencePlan, 'context' | 'slots' | 'prefillTokens'>;

/** The shape of one layer's keys, or values. */
export const cacheShape = (config: DecoderConfig, { context, slots }: Omit<Sizes, 'prefillTokens'>): CacheShape => ({
  slots,
  kvHeads: config.num_key_value_heads,
  capacity: context,
  headDim: config.head_dim,
});

/** Bytes of the buffers for intermediate values, by name. */
export function workBytes(config: DecoderConfig, { context, slots, prefillTokens }: Sizes): Record<WorkBuffer, number> {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
  const tokens = Math.max(prefillTokens, slots);
  const queries = matrixSize(config, 'out').inFeatures;
  const f32 = (rows: number, columns: number) => 4 * rows * columns;
  return {
    stream: f32(tokens, hidden),
    norm: f32(tokens, hidden),
    rstd: f32(tokens, 1),
    qkv: f32(tokens, matrixSize(config, 'qkv').outFeatures),
    attention: f32(tokens, queries),
    wide: f32(tokens, 2 * intermediate),
    activation: f32(tokens, intermediate),
    last: f32(slots, hidden),
    logits: f32(slots, vocab),
    partials: decodeScratchBytes({
      heads: config.num_attention_heads,
      kvHeads: config.num_key_value_heads,
      headDim,
      maxSlots: slots,
      capacity: context,
    }),
  };
}

export type WorkBuffer =
  'stream' | 'norm' | 'rstd' | 'qkv' | 'attention' | 'wide' | 'activation' | 'last' | 'logits' | 'partials';
