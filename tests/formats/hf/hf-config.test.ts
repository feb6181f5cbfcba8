/** @file config.json in both Transformers forms, and the refusals. */
import { describe, expect, it } from 'vitest';
import { parameterCount, parameterShapes } from '../../../src/formats/hf/architecture';
import { parseDecoderConfig } from '../../../src/formats/hf/hf-config';

const tiny = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 64,
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  hidden_act: 'silu',
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 0,
};
/** As Qwen/Qwen2.5-0.5B ships it. */
const qwen2 = {
  architectures: ['Qwen2ForCausalLM'],
  attention_dropout: 0,
  bos_token_id: 151643,
  eos_token_id: 151643,
  hidden_act: 'silu',
  hidden_size: 896,
  initializer_range: 0.02,
  intermediate_size: 4864,
  max_position_embeddings: 32768,
  max_window_layers: 24,
  model_type: 'qwen2',
  num_attention_heads: 14,
  num_hidden_layers: 24,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000,
  sliding_window: 32768,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_cache: true,
  use_mrope: false,
  use_sliding_window: false,
  vocab_size: 151936,
};
/** As Qwen/Qwen3-0.6B ships it. */
const qwen3 = {
  architectures: ['Qwen3ForCausalLM'],
  attention_bias: false,
  bos_token_id: 151643,
  eos_token_id: 151645,
  head_dim: 128,
  hidden_act: 'silu',
  hidden_size: 1024,
  intermediate_size: 3072,
  max_position_embeddings: 40960,
  model_type: 'qwen3',
  num_attention_heads: 16,
  num_hidden_layers: 28,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 1000000,
  sliding_window: null,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_sliding_window: false,
  vocab_size: 151936,
};

const llama3 = {
  rope_type: 'llama3',
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};
const mistral = {
  model_type: 'mistral',
  architectures: ['MistralForCausalLM'],
  max_position_embeddings: 32768,
  sliding_window: null,
};

describe('parseDecoderConfig', () => {
  it('reads rope_theta where Transformers 4 and 5 put it', () => {
    expect(parseDecoderConfig({ ...tiny, rope_theta: 5e5, rope_scaling: null }).rope_theta).toBe(5e5);
    const five = { ...tiny, rope_parameters: { rope_type: 'default', rope_theta: 7e5 }, dtype: 'float16' };
    expect(parseDecoderConfig(five).rope_theta).toBe(7e5);
    expect(parseDecoderConfig(tiny).rope_theta).toBe(10000);
  });

  it("reads Llama 3's scaling in both forms", () => {
    const four = parseDecoderConfig({ ...tiny, rope_theta: 5e5, rope_scaling: llama3 });
    expect([four.rope_theta, four.rope_scaling]).toEqual([5e5, llama3]);
    expect(parseDecoderConfig({ ...tiny, rope_parameters: { ...llama3, rope_theta: 5e5 } })).toEqual(four);
    expect(parseDecoderConfig({ ...tiny, rope_theta: 5e5 }).rope_scaling).toBeNull();
  });

  it('takes Mistral where no window slides', () => {
    for (const sliding_window of [null, 32768, 65536]) {
      const config = parseDecoderConfig({ ...tiny, ...mistral, sliding_window });
      expect([config.model_type, config.architecture]).toEqual(['mistral', 'MistralForCausalLM']);
    }
    expect(parseDecoderConfig({ ...tiny, ...mistral, layer_types: ['full_attention'] }).model_type).toBe('mistral');
  });

  it('takes a window that is switched off, as Qwen2.5 has it', () => {
    const config = { ...qwen2, sliding_window: 32768, use_sliding_window: false, max_window_layers: 21 };
    expect(parseDecoderConfig(config).model_type).toBe('qwen2');
    expect(parseDecoderConfig({ ...config, layer_types: Array(24).fill('full_attention') }).model_type).toBe('qwen2');
  });

  it('knows what tells the families apart', () => {
    const a = parseDecoderConfig(qwen2),
      b = parseDecoderConfig(qwen3);
    expect([a.qkv_bias, a.qk_norm, a.head_dim]).toEqual([true, false, 64]);
    expect([b.qkv_bias, b.qk_norm, b.head_dim]).toEqual([false, true, 128]);
    // The parameter counts that the model cards give: 494M and 596M.
    expect(parameterCount(a)).toBe(494032768);
    expect(parameterCount(b)).toBe(596049920);
  });

  it("takes generation_config.json's end tokens over config.json's", () => {
    const generation = { eos_token_id: [151645, 151643] };
    expect(parseDecoderConfig(qwen3, generation).eos_token_ids).toEqual([151645, 151643]);
    expect(parseDecoderConfig(qwen3, {}).eos_token_ids).toEqual([151645]);
    expect(parseDecoderConfig({ ...tiny, eos_token_id: null }).eos_token_ids).toEqual([]);
  });

  it.each([
    [{ model_type: 'gpt2' }, /model_type "gpt2".*supported: llama, mistral, qwen2, qwen3/],
    [{ model_type: '__proto__' }, /model_type/],
    [{ architectures: ['LlamaForSequenceClassification'] }, /architectures/],
    [{ rope_scaling: { type: 'linear', factor: 2 } }, /rope_scaling.*linear/],
    [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, /rope_scaling.*"yarn".*supported: default, llama3/],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, /"dynamic"/],
    [{ rope_scaling: { rope_type: 'longrope' } }, /"longrope"/],
    [{ rope_parameters: { rope_type: 'llama3', rope_theta: 5e5 } }, /low_freq_factor must be a positive number/],
    [{ rope_scaling: { ...llama3, factor: '32' } }, /factor must be a positive number/],
    [{ rope_scaling: { ...llama3, low_freq_factor: 4 } }, /low_freq_factor 4 must be below high_freq_factor 4/],
    [{ rope_scaling: { ...llama3, original_max_position_embeddings: null } }, /original_max_position_embeddings/],
    [{ rope_parameters: { full_attention: { rope_theta: 1e4 } } }, /by layer type/],
    [{ hidden_act: 'gelu' }, /hidden_act "gelu"/],
    [{ mlp_bias: true }, /mlp_bias/],
    [{ attention_bias: true }, /attention_bias/],
    [{ use_sliding_window: true }, /sliding window/],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, /sliding window/],
    [
      { ...mistral, sliding_window: 4096 },
      /sliding_window 4096 is not supported.*at least max_position_embeddings 32768/,
    ],
    [{ ...mistral, sliding_window: undefined }, /sliding_window 4096/],
    [{ ...mistral, layer_types: ['sliding_attention'] }, /sliding window/],
    [{ ...mistral, sliding_window: '4096' }, /sliding_window "4096"/],
    [{ quantization_config: { bits: 4 } }, /quantization_config/],
    [{ hidden_size: 128.5 }, /hidden_size must be an integer.*128\.5/],
    [{ hidden_size: 1e12 }, /hidden_size must be an integer from 1 to 65536/],
    [{ hidden_size: '128' }, /hidden_size/],
    [{ num_hidden_layers: 0 }, /num_hidden_layers/],
    [{ num_key_value_heads: 3 }, /multiple of num_key_value_heads 3/],
    [{ num_attention_heads: 3, num_key_value_heads: 3 }, /head_dim/],
    [{ head_dim: 33 }, /head_dim 33 is odd/],
    [{ rms_norm_eps: 0 }, /rms_norm_eps/],
    [{ tie_word_embeddings: 'yes' }, /tie_word_embeddings/],
    [{ rope_scaling: { type: 'yarn', factor: 1 } }, /"yarn"/],
    [{ hidden_act: 'Swish' }, /hidden_act "Swish"/],
  ])('refuses %j', (change, message) => {
    expect(() => parseDecoderConfig({ ...tiny, ...change })).toThrow(message);
  });

  it.each([
    ['pad_token_id', -1],
    ['pad_token_id', 64],
    ['pad_token_id', 'none'],
    ['bos_token_id', 1e9],
    ['hidden_act', 'swish'],
    ['rope_scaling', { type: 'linear', factor: 1 }],
    ['rope_scaling', { rope_type: 'dynamic', factor: 1.0 }],
    ['eos_token_id', -1],
    ['eos_token_id', []],
  ])('computes the same with %s %j', (key, value) => {
    const notices: string[] = [];
    const plain = parseDecoderConfig({ ...tiny, [key]: undefined });
    expect(parseDecoderConfig({ ...tiny, [key]: value }, undefined, notices)).toEqual(plain);
    expect(notices).toEqual([]);
  });

  it.each([
    [64, [], '64'],
    [[2, 63, 64, 700], [2, 63], '64, 700'],
    [[2, 2.5, '3'], [2], '2.5, "3"'],
    [[2, -1, null, 2], [2], null],
  ])('leaves out of the ends %j those that cannot be', (eos_token_id, kept, named) => {
    for (const [config, generation] of [
      [{ ...tiny, eos_token_id }, undefined],
      [tiny, { eos_token_id }],
    ] as const) {
      const notices: string[] = [];
      expect(parseDecoderConfig(config, generation, notices).eos_token_ids).toEqual(kept);
      expect(notices.map((notice) => /\((.*)\)/.exec(notice)?.[1])).toEqual(named === null ? [] : [named]);
    }
  });

  it.each([[null], [[]], ['{}'], [3]])('refuses %j as a config', (json) => {
    expect(() => parseDecoderConfig(json)).toThrow(/not a JSON object/);
  });
});

describe('parameterShapes', () => {
  it('lists names and shapes as Transformers does', () => {
    const shapes = parameterShapes(parseDecoderConfig(tiny));
    expect(shapes).toHaveLength(1 + 4 * 9 + 1);
    expect(shapes[0]).toEqual({ name: 'model.embed_tokens.weight', shape: [64, 128] });
    expect(shapes.at(-1)).toEqual({ name: 'model.norm.weight', shape: [128] });
    expect(parameterCount(parseDecoderConfig(tiny))).toBe(861312);
    const untied = parameterShapes(parseDecoderConfig({ ...tiny, tie_word_embeddings: false }));
    expect(untied.at(-1)).toEqual({ name: 'lm_head.weight', shape: [64, 128] });
  });

  it('gives grouped queries their own widths', () => {
    const byName = new Map(parameterShapes(parseDecoderConfig(qwen3)).map((p) => [p.name, p.shape]));
    expect(byName.get('model.layers.27.self_attn.q_proj.weight')).toEqual([2048, 1024]);
    expect(byName.get('model.layers.27.self_attn.k_proj.weight')).toEqual([1024, 1024]);
    expect(byName.get('model.layers.27.self_attn.o_proj.weight')).toEqual([1024, 2048]);
    expect(byName.get('model.layers.27.self_attn.q_norm.weight')).toEqual([128]);
    const biased = new Set(parameterShapes(parseDecoderConfig(qwen2)).map((p) => p.name));
    expect(biased.has('model.layers.0.self_attn.k_proj.bias')).toBe(true);
    expect(biased.has('model.layers.0.self_attn.o_proj.bias')).toBe(false);
  });
});
