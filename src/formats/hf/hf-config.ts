/**
 * @file Reads a Hugging Face `config.json` into the few numbers that the decoder is built from, in the form that
 * Transformers 4 wrote (`rope_theta`, `rope_scaling`, `torch_dtype`) and the one Transformers 5 writes
 * (`rope_parameters`, `dtype`). Whatever would change the arithmetic and isn't implemented is refused by name: a model
 * that runs is computed as Transformers computes it.
 */

import { t } from '../../i18n';
import { families, familyOf, type DecoderSizes, type ModelType } from './architecture';

/** A config that is valid but describes a model that this engine doesn't compute, or that isn't valid at all. */
export class UnsupportedModelError extends Error {
  override name = 'UnsupportedModelError';
}

/** How the rotary frequencies are changed for contexts longer than the model was first trained on. */
export type RopeScaling =
  /** Llama 3.1: long wavelengths are slowed by `factor`, short ones kept, those between blended. */
  | {
      rope_type: 'llama3';
      factor: number;
      low_freq_factor: number;
      high_freq_factor: number;
      original_max_position_embeddings: number;
    }
  /** The same as GGUF files have it: each frequency's own divisor, head_dim / 2 of them. */
  | { rope_type: 'factors'; factors: number[] };

export interface DecoderConfig extends DecoderSizes {
  model_type: ModelType;
  /** The Transformers class, for example `LlamaForCausalLM`. */
  architecture: string;
  rms_norm_eps: number;
  rope_theta: number;
  rope_scaling: RopeScaling | null;
  max_position_embeddings: number;
  bos_token_id: number | null;
  /**
   * Every token that ends an answer: generation_config.json's list where there is one, otherwise config.json's, and, once
   * a model is opened, those that its tokenizer ends turns with.
   */
  eos_token_ids: number[];
  pad_token_id: number | null;
}

type Json = Record<string, unknown>;

/**
 * Validates a parsed config.json (and generation_config.json, whose end-of-sequence ids win).
 * @param notices gets what the user should know, as sentences
 * @throws UnsupportedModelError naming the key, its value and what would be accepted.
 */
export function parseDecoderConfig(json: unknown, generation?: unknown, notices: string[] = []): DecoderConfig {
  if (!isObject(json)) refuse('config.json is not a JSON object');
  const model_type = json.model_type;
  if (typeof model_type !== 'string' || !Object.hasOwn(families, model_type)) {
    const known = Object.keys(families).join(', ');
    refuse(`model_type ${show(model_type)} is not supported; supported: ${known}`);
  }
  const family = familyOf(model_type as ModelType);
  const architectures = json.architectures ?? [family.architecture];
  if (!Array.isArray(architectures) || architectures[0] !== family.architecture) {
    refuse(`architectures ${show(architectures)} is not supported; a ${model_type} must be ${family.architecture}`);
  }
  refuseUncomputed(json, model_type as ModelType);

  const hidden_size = integer(json, 'hidden_size', 1, 1 << 16);
  const num_attention_heads = integer(json, 'num_attention_heads', 1, 1024);
  const num_key_value_heads = integer(json, 'num_key_value_heads', 1, 1024, num_attention_heads);
  if (num_attention_heads % num_key_value_heads !== 0) {
    refuse(
      `num_attention_heads ${num_attention_heads} is not a multiple of num_key_value_heads ${num_key_value_heads}`,
    );
  }
  const head_dim = integer(json, 'head_dim', 2, 1024, family.headDim ?? hidden_size / num_attention_heads);
  if (head_dim % 2 !== 0) refuse(`head_dim ${head_dim} is odd; rotary embeddings need pairs`);
  const vocab_size = integer(json, 'vocab_size', 1, 1 << 20);
  const max_position_embeddings = integer(json, 'max_position_embeddings', 1, 1 << 24, family.context);
  refuseSlidingWindow(json, model_type as ModelType, max_position_embeddings);
  const endings = isObject(generation) && generation.eos_token_id != null ? generation : json;

  return {
    model_type: model_type as ModelType,
    architecture: family.architecture,
    vocab_size,
    hidden_size,
    intermediate_size: integer(json, 'intermediate_size', 1, 1 << 18),
    num_hidden_layers: integer(json, 'num_hidden_layers', 1, 512),
    num_attention_heads,
    num_key_value_heads,
    head_dim,
    rms_norm_eps: positive(json, 'rms_norm_eps', 1, 1e-6),
    ...ropeOf(json),
    max_position_embeddings,
    tie_word_embeddings: flag(json, 'tie_word_embeddings', family.tied),
    qkv_bias: family.qkv_bias,
    qk_norm: family.qk_norm,
    bos_token_id: tokenIds(json.bos_token_id, vocab_size).ids[0] ?? null,
    eos_token_ids: endIds(endings.eos_token_id, vocab_size, notices),
    pad_token_id: tokenIds(json.pad_token_id, vocab_size).ids[0] ?? null,
  };
}

function refuseUncomputed(json: Json, model_type: ModelType): void {
  const act = json.hidden_act ?? 'silu';
  // Transformers knows the same function by both names.
  if (act !== 'silu' && act !== 'swish') refuse(`hidden_act ${show(act)} is not supported; supported: silu`);
  if (flag(json, 'mlp_bias', false)) refuse('mlp_bias true is not supported');
  // Where it is read, this also puts a bias on o_proj.
  if (!familyOf(model_type).ignoresAttentionBias && flag(json, 'attention_bias', false))
    refuse('attention_bias true is not supported');
  if (json.quantization_config != null) refuse('quantization_config: quantised checkpoints are not supported');
  if ((json.pretraining_tp ?? 1) !== 1) refuse(`pretraining_tp ${show(json.pretraining_tp)} is not supported`);
}

/** @param context a window as long as the context changes nothing */
function refuseSlidingWindow(json: Json, model_type: ModelType, context: number): void {
  const { layer_types: layerTypes, sliding_window: window } = json;
  const { slidingWindow: assumed } = familyOf(model_type);
  const listed = Array.isArray(layerTypes);
  const slides = listed
    ? layerTypes.some((type) => type !== 'full_attention')
    : assumed !== null || flag(json, 'use_sliding_window', false);
  if (!slides) return;
  if (assumed === null || listed) {
    refuse('sliding window attention (use_sliding_window, layer_types) is not supported');
  }
  const length = window === undefined ? assumed : window;
  if (length === null || (typeof length === 'number' && length >= context)) return;
  refuse(
    `sliding_window ${show(length)} is not supported; supported: null, or at least max_position_embeddings ${context}`,
  );
}

type Rope = Pick<DecoderConfig, 'rope_theta' | 'rope_scaling'>;

/** From `rope_parameters` (5), or `rope_theta` with `rope_scaling` (4). */
function ropeOf(json: Json): Rope {
  if ((json.partial_rotary_factor ?? 1) !== 1) refuse('partial_rotary_factor is not supported');
  for (const key of ['rope_parameters', 'rope_scaling']) {
    const rope = json[key];
    if (rope == null) continue;
    if (!isObject(rope)) refuse(`${key} ${show(rope)} is not an object`);
    const type = rope.rope_type ?? rope.type ?? 'default';
    // By a factor of 1 these two change nothing within the model's context.
    const isIdentity = (type === 'linear' || type === 'dynamic') && rope.factor === 1;
    if (type !== 'default' && type !== 'llama3' && !isIdentity) {
      refuse(`${key} with rope_type ${show(type)} is not supported; supported: default, llama3`);
    }
    if (Object.values(rope).some(isObject)) refuse(`${key} by layer type is not supported`);
    if ((rope.partial_rotary_factor ?? 1) !== 1) refuse(`${key} with partial_rotary_factor is not supported`);
    return {
      rope_theta: positive(rope.rope_theta == null ? json : rope, 'rope_theta', 1e12, 10000),
      rope_scaling: type === 'llama3' ? llama3Scaling(rope) : null,
    };
  }
  return { rope_theta: positive(json, 'rope_theta', 1e12, 10000), rope_scaling: null };
}

function llama3Scaling(rope: Json): RopeScaling {
  const low_freq_factor = positive(rope, 'low_freq_factor', 1e6);
  const high_freq_factor = positive(rope, 'high_freq_factor', 1e6);
  if (!(low_freq_factor < high_freq_factor)) {
    refuse(`low_freq_factor ${low_freq_factor} must be below high_freq_factor ${high_freq_factor}`);
  }
  return {
    rope_type: 'llama3',
    factor: positive(rope, 'factor', 1e6),
    low_freq_factor,
    high_freq_factor,
    original_max_position_embeddings: integer(rope, 'original_max_position_embeddings', 1, 1 << 24),
  };
}

function integer(json: Json, key: string, min: number, max: number, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    refuse(`${key} must be an integer from ${min} to ${max}, not ${show(value)}`);
  }
  return value;
}

function positive(json: Json, key: string, max: number, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value !== 'number' || !(value > 0 && value <= max)) {
    refuse(`${key} must be a positive number up to ${max}, not ${show(value)}`);
  }
  return value;
}

function flag(json: Json, key: string, fallback: boolean): boolean {
  const value = json[key] ?? fallback;
  if (typeof value !== 'boolean') refuse(`${key} must be true or false, not ${show(value)}`);
  return value;
}

/** The tokens that end an answer. One that the model doesn't have can't occur, so it is left out and said to be. */
function endIds(value: unknown, vocabSize: number, notices: string[]): number[] {
  const { ids, wrong } = tokenIds(value, vocabSize);
  if (wrong.length > 0) notices.push(t('models:notices.endsLeftOut', { ids: wrong.map(show).join(', ') }));
  return ids;
}

/** A token id or a list of them, as a list: those that are below the vocabulary's size, and those that can't be meant. */
function tokenIds(value: unknown, vocabSize: number): { ids: number[]; wrong: unknown[] } {
  // -1 is written for "none".
  const given = (Array.isArray(value) ? value : [value]).filter((id) => id != null && id !== -1) as unknown[];
  const isId = (id: unknown): id is number => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  return { ids: [...new Set(given.filter(isId))], wrong: given.filter((id) => !isId(id)).slice(0, 10) };
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function refuse(message: string): never {
  throw new UnsupportedModelError(message);
}
