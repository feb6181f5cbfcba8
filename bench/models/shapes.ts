/**
 * @file The shapes of well-known models with random weights, so that speed can be measured without a download. Weights
 * come from a small repeated block of random bytes: what a kernel does with them does not depend on their values.
 */
import type { DecoderConfig } from '../../src/formats/hf/hf-config';
import { parameterShapes } from '../../src/formats/hf/architecture';
import type { Model } from '../../src/formats/model';
import type { StoredType } from '../../src/formats/gguf/stored-types';
import type { RangedFile, TensorEntry } from '../../src/formats/files/model-files';
import { float32ToFloat16 } from '../../src/base/half';
import { kindOf, weightFormats } from '../../src/nn/infer/packed';
import { rng } from '../../src/base/rng';

const common = {
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  bos_token_id: null,
  eos_token_ids: [],
  pad_token_id: null,
  qk_norm: false,
};
const qwen2 = { model_type: 'qwen2', architecture: 'Qwen2ForCausalLM', qkv_bias: true, ...common } as const;
const llama = { model_type: 'llama', architecture: 'LlamaForCausalLM', qkv_bias: false, ...common } as const;

/** Sizes from the models' own config.json. */
export const shapes: Record<string, DecoderConfig> = {
  'r1-distill-qwen-1.5b': {
    ...qwen2,
    vocab_size: 151936,
    hidden_size: 1536,
    intermediate_size: 8960,
    num_hidden_layers: 28,
    num_attention_heads: 12,
    num_key_value_heads: 2,
    head_dim: 128,
    rope_theta: 10000,
    max_position_embeddings: 131072,
    tie_word_embeddings: false,
  },
  'qwen2.5-0.5b': {
    ...qwen2,
    vocab_size: 151936,
    hidden_size: 896,
    intermediate_size: 4864,
    num_hidden_layers: 24,
    num_attention_heads: 14,
    num_key_value_heads: 2,
    head_dim: 64,
    rope_theta: 1000000,
    max_position_embeddings: 32768,
    tie_word_embeddings: true,
  },
  'llama-3.2-1b': {
    ...llama,
    vocab_size: 128256,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    rope_theta: 500000,
    max_position_embeddings: 131072,
    tie_word_embeddings: true,
  },
  'smollm2-135m': {
    ...llama,
    vocab_size: 49152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
    rope_theta: 100000,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  },
};

/** The byte offsets of a block's f16 scales, which random bits could make infinite. */
const scalesAt: Partial<Record<StoredType, number[]>> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
};

/** A model of a shape whose matrices are random and stored as `type`; everything but its tokenizer. */
export function randomModel(name: string, config: DecoderConfig, type: StoredType): Model {
  const tensors = new Map<string, TensorEntry>();
  let bytes = 0;
  for (const { name: tensor, shape } of parameterShapes(config)) {
    // Blocks don't straddle rows; vectors are f32 in every file.
    const { weights } = weightFormats[kindOf(type)];
    const fits = shape.length === 2 && shape[1]! % weights === 0;
    const stored: StoredType = shape.length === 1 ? 'F32' : fits ? type : 'F16';
    const format = weightFormats[kindOf(stored)];
    const size = (shape.reduce((a, b) => a * b, 1) / format.weights) * format.bytes;
    tensors.set(tensor, { name: tensor, shape, type: stored, file: randomFile(stored, size), begin: 0, bytes: size });
    bytes += size;
  }
  return { name, config, tensors, bytes, tokenizer: null, sampling: {}, files: new Map(), notices: [], adapter: null };
}

function randomFile(type: StoredType, size: number): RangedFile {
  return {
    name: `random ${type}`,
    size,
    async *read(begin, end) {
      const piece = randomPiece(type);
      for (let at = begin; at < end;) {
        const from = at % piece.length;
        const take = Math.min(piece.length - from, end - at);
        yield piece.subarray(from, from + take);
        at += take;
      }
    },
  };
}

const pieces = new Map<StoredType, Uint8Array<ArrayBuffer>>();

/** About a megabyte of whole random blocks. */
function randomPiece(type: StoredType): Uint8Array<ArrayBuffer> {
  let piece = pieces.get(type);
  if (piece) return piece;
  const { bytes: fileBytes } = weightFormats[kindOf(type)];
  const count = Math.floor(2 ** 20 / fileBytes);
  const random = rng(1);
  piece = new Uint8Array(count * fileBytes).map(() => random.next() * 256);
  const view = new DataView(piece.buffer);
  // Small and centred, so that activations stay finite through many layers.
  const small = () => 0.04 * (random.next() - 0.5);
  for (let i = 0; i < count; i++) {
    const at = i * fileBytes;
    if (type === 'F32') view.setFloat32(at, small(), true);
    else if (type === 'F16') view.setUint16(at, float32ToFloat16(small()), true);
    else if (type === 'BF16') view.setUint16(at, 0x3c00 | (random.next() < 0.5 ? 0x8000 : 0), true);
    for (const offset of scalesAt[type] ?? []) view.setUint16(at + offset, float32ToFloat16(small() / 64), true);
  }
  pieces.set(type, piece);
  return piece;
}
