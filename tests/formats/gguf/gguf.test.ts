/** @file GGUF files: what they open as, and what is refused before any weights are read. */
import { describe, expect, it } from 'vitest';
import { openGguf } from '../../../src/formats/gguf/gguf';
import { ggufTokenizer } from '../../../src/formats/gguf/gguf-tokenizer';
import { readTensor } from '../../../src/formats/gguf/dequantise';
import { openModel } from '../../../src/formats/open-model';
import { mapFiles, memoryFile } from '../../../src/formats/files/memory-files';
import { rng } from '../../../src/base/rng';
import { readGolden } from '../checkpoints';
import { writeGguf, type GgufTensor, type GgufValue } from './write-gguf';

const tokens = ['<s>', '</s>', 'a', 'b', 'ab', '▁'];
const metadata: Record<string, GgufValue> = {
  'general.architecture': 'llama',
  'llama.context_length': 64,
  'llama.embedding_length': 8,
  'llama.block_count': 1,
  'llama.feed_forward_length': 12,
  'llama.attention.head_count': 2,
  'llama.attention.head_count_kv': 1n,
  'llama.attention.layer_norm_rms_epsilon': 1.5e-5,
  'llama.rope.freq_base': 500.5,
  'tokenizer.ggml.model': 'gpt2',
  'tokenizer.ggml.pre': 'llama-bpe',
  'tokenizer.ggml.tokens': tokens,
  'tokenizer.ggml.token_type': [3, 3, 1, 1, 1, 1],
  'tokenizer.ggml.merges': ['a b'],
  'tokenizer.ggml.bos_token_id': 0,
  'tokenizer.ggml.eos_token_id': 1,
};
const shapes: Record<string, number[]> = {
  'token_embd.weight': [6, 8],
  'blk.0.attn_norm.weight': [8],
  'blk.0.attn_q.weight': [8, 8],
  'blk.0.attn_k.weight': [4, 8],
  'blk.0.attn_v.weight': [4, 8],
  'blk.0.attn_output.weight': [8, 8],
  'blk.0.ffn_norm.weight': [8],
  'blk.0.ffn_gate.weight': [12, 8],
  'blk.0.ffn_up.weight': [12, 8],
  'blk.0.ffn_down.weight': [8, 12],
  'output_norm.weight': [8],
};
const tensor = (name: string, shape: number[], type = 0, bytes?: number): GgufTensor => {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i + 1);
  return { name, shape, type, data: new Uint8Array(data.buffer).subarray(0, bytes) };
};
const all = Object.entries(shapes).map(([name, shape]) => tensor(name, shape));

const open = (changes: Record<string, GgufValue | null> = {}, tensors = all) => {
  const kept = Object.entries({ ...metadata, ...changes }).filter(([, value]) => value !== null);
  return openGguf(memoryFile('x.gguf', writeGguf(Object.fromEntries(kept) as Record<string, GgufValue>, tensors)));
};
const replaced = (name: string, other: GgufTensor) => all.map((each) => (each.name === name ? other : each));

describe('openGguf', () => {
  it('gives a config and the places of tensors under Hugging Face names', async () => {
    const { config, tensors } = await open();
    expect(config).toMatchObject({
      model_type: 'llama',
      architecture: 'LlamaForCausalLM',
      vocab_size: 6,
      hidden_size: 8,
      head_dim: 4,
      num_key_value_heads: 1,
      rms_norm_eps: Math.fround(1.5e-5),
      rope_theta: 500.5,
      rope_scaling: null,
      max_position_embeddings: 64,
      tie_word_embeddings: true,
      bos_token_id: 0,
      eos_token_ids: [1],
    });
    expect(tensors.size).toBe(11);
    const q = tensors.get('model.layers.0.self_attn.q_proj.weight')!;
    expect([q.shape, q.type, q.bytes, q.interleavedHeads]).toEqual([[8, 8], 'F32', 256, 2]);
    expect(tensors.get('model.layers.0.self_attn.k_proj.weight')!.interleavedHeads).toBe(1);
    expect(tensors.get('model.layers.0.self_attn.v_proj.weight')!.interleavedHeads).toBeUndefined();
    const down = await readTensor(tensors.get('model.layers.0.mlp.down_proj.weight')!);
    expect([...down]).toEqual([...Array(96).keys()].map((i) => i + 1));
  });

  it('reads the rotary factors of Llama 3', async () => {
    const factors = tensor('rope_freqs.weight', [2]);
    expect((await open({}, [...all, factors])).config.rope_scaling).toEqual({ rope_type: 'factors', factors: [1, 2] });
    await expect(open({}, [...all, tensor('rope_freqs.weight', [3])])).rejects.toThrow(/shape \[3\], expected \[2\]/);
    const zero = { ...factors, data: new Uint8Array(8) };
    await expect(open({}, [...all, zero])).rejects.toThrow(/not positive numbers/);
  });

  it('knows the tokens that end an answer, and recommended sampling', async () => {
    const names = ['<s>', '</s>', '<|eot_id|>', '<|im_end|>', 'ab', '▁'];
    const said: Record<string, GgufValue> = {
      'tokenizer.ggml.tokens': names,
      'tokenizer.ggml.token_type': [3, 3, 3, 1, 1, 1],
      'tokenizer.ggml.eom_token_id': 4,
      'general.sampling.temp': 0.5,
      'general.sampling.top_k': 20,
    };
    const opened = await openModel(mapFiles('x.gguf', new Map([['x.gguf', writeGguf({ ...metadata, ...said }, all)]])));
    // <|im_end|> is plain text here.
    expect(opened.config.eos_token_ids).toEqual([1, 4, 2]);
    expect(opened.sampling).toEqual({ temperature: 0.5, top_k: 20 });
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'another architecture',
      () => open({ 'general.architecture': 'gemma3' }),
      /architecture "gemma3" is not supported; supported: llama, qwen2, qwen3/,
    ],
    ['no architecture', () => open({ 'general.architecture': 7 }), /architecture null/],
    ['experts', () => open({ 'llama.expert_count': 8 }), /expert_count/],
    ['YaRN', () => open({ 'llama.rope.scaling.type': 'yarn' }), /rope\.scaling\.type "yarn"/],
    [
      'a linear scaling',
      () => open({ 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 4 }),
      /"linear"/,
    ],
    [
      'partial rotation',
      () => open({ 'llama.attention.key_length': 4, 'llama.rope.dimension_count': 2 }),
      /rope\.dimension_count 2/,
    ],
    ['a sliding window', () => open({ 'llama.attention.sliding_window': 16 }), /sliding_window 16/],
    ['one part of several', () => open({ 'split.count': 3 }), /one of 3 parts/],
    ['a missing key', () => open({ 'llama.block_count': null }), /num_hidden_layers/],
    ['a size that is text', () => open({ 'llama.embedding_length': '8' }), /hidden_size must be an integer/],
    ['sizes by layer', () => open({ 'llama.feed_forward_length': [12, 12] }), /intermediate_size must be an integer/],
    ['more layers than tensors', () => open({ 'llama.block_count': 2 }), /no tensor model\.layers\.1\./],
    ['a missing tensor', () => open({}, all.slice(0, -1)), /no tensor model\.norm\.weight/],
    ['no embedding', () => open({}, all.slice(1)), /no tensor token_embd\.weight/],
    [
      'an unknown tensor',
      () => open({}, [...all, tensor('blk.0.attn_sinks.weight', [2])]),
      /a tensor blk\.0\.attn_sinks\.weight/,
    ],
    [
      'a bias that is not computed',
      () => open({}, [...all, tensor('blk.0.attn_q.bias', [8])]),
      /self_attn\.q_proj\.bias/,
    ],
    [
      'a misshapen tensor',
      () => open({}, replaced('output_norm.weight', tensor('output_norm.weight', [9]))),
      /shape \[9\], expected \[8\]/,
    ],
    ['a tensor twice', () => open({}, [...all, all[0]!]), /two tensors are called "token_embd\.weight"/],
    [
      'IQ4_XS',
      () => open({}, replaced('blk.0.ffn_up.weight', tensor('blk.0.ffn_up.weight', [12, 8], 23))),
      /ffn_up\.weight" is stored as IQ4_XS.*choose a Q4_K_M/,
    ],
    [
      'an unknown type',
      () => open({}, replaced('blk.0.ffn_up.weight', tensor('blk.0.ffn_up.weight', [12, 8], 999))),
      /type 999/,
    ],
    [
      'rows that are no whole blocks',
      () => open({}, replaced('blk.0.ffn_up.weight', tensor('blk.0.ffn_up.weight', [12, 8], 2))),
      /rows of 8, which don't fill blocks of Q4_0/,
    ],
    [
      'data that is cut short',
      () => open({}, [...all.slice(0, -1), tensor('output_norm.weight', [8], 0, 0)]),
      /cut short: tensor "output_norm\.weight"/,
    ],
    ['a strange alignment', () => open({ 'general.alignment': 33 }), /general\.alignment/],
  ])('refuses %s', async (_, opening, message) => {
    await expect(opening()).rejects.toThrow(message);
  });

  it('refuses what is no GGUF, or a broken one', async () => {
    const whole = writeGguf(metadata, all);
    const file = (bytes: Uint8Array) => openGguf(memoryFile('x.gguf', bytes));
    await expect(file(whole.subarray(0, 20))).rejects.toThrow(/not a GGUF file: it has only 20 bytes/);
    await expect(file(new TextEncoder().encode('<!doctype html>'.repeat(9)))).rejects.toThrow(
      /x\.gguf is not a GGUF file/,
    );
    await expect(file(writeGguf(metadata, all, 1))).rejects.toThrow(/version 1/);
    await expect(file(whole.subarray(0, 600))).rejects.toThrow(Error);
    const many = whole.slice();
    new DataView(many.buffer).setBigUint64(8, 1n << 40n, true);
    await expect(file(many)).rejects.toThrow(/claims 1099511627776 tensors/);
    await expect(openGguf(memoryFile('x', whole), AbortSignal.abort())).rejects.toThrow(/abort/);
  });

  it('opens or refuses whatever bytes are changed, with an error of its own', async () => {
    const whole = readGolden('llama-q4_0.gguf');
    const random = rng(5);
    const kinds = new Set<string>();
    for (let round = 0; round < 150; round++) {
      const bytes = whole.slice();
      // The metadata begins with sizes and ends with tensors; between them lies mostly the tokenizer.
      const at = [random.int(0, 700), random.int(14_000, 22_000), random.int(0, 22_000)][round % 3]!;
      for (let i = 0; i < 4; i++) bytes[at + i] = random.int(0, 255);
      try {
        await openModel(mapFiles('x.gguf', new Map([['x.gguf', bytes]])));
      } catch (error) {
        kinds.add((error as Error).name);
      }
    }
    expect(
      [...kinds].filter((kind) => !/^(GgufError|UnsupportedModelError|ModelFolderError|TokenizerError)$/.test(kind)),
    ).toEqual([]);
    expect(kinds.size).toBeGreaterThan(1);
  });
});

describe('ggufTokenizer', () => {
  const tokenizer = async (changes: Record<string, GgufValue | null>) => ggufTokenizer((await open(changes)).metadata);

  it('adds BOS to text where the model does', async () => {
    const text = { add_special_tokens: true };
    expect((await tokenizer({})).encode('ab', text)).toEqual([0, 4]);
    expect((await tokenizer({ 'tokenizer.ggml.add_bos_token': false })).encode('ab', text)).toEqual([4]);
    expect((await tokenizer({ 'tokenizer.ggml.pre': 'gpt-2' })).encode('ab', text)).toEqual([4]);
  });

  it('takes whole words that are tokens, whatever the merges, as Llama 3 does', async () => {
    const none = { 'tokenizer.ggml.merges': ['b a'] };
    expect((await tokenizer(none)).encode('ab')).toEqual([4]);
    expect((await tokenizer({ ...none, 'tokenizer.ggml.pre': 'qwen2' })).encode('ab')).toEqual([2, 3]);
  });

  it('takes digits of every script one by one where the model does', async () => {
    // " ½" in bytes, as byte-level BPE writes them; Rust's tokenizers count ½ as a digit and part it from the space.
    const half = { 'tokenizer.ggml.tokens': ['<s>', '</s>', 'Ġ', 'Â', 'ĠÂ', '½'], 'tokenizer.ggml.merges': ['Ġ Â'] };
    expect((await tokenizer({ ...half, 'tokenizer.ggml.pre': 'smollm' })).encode(' ½')).toEqual([2, 3, 5]);
    expect((await tokenizer({ ...half, 'tokenizer.ggml.pre': 'gpt-2' })).encode(' ½')).toEqual([4, 5]);
  });

  it("joins SentencePiece's pieces by their scores", async () => {
    const names = ['<s>', '</s>', 'a', 'b', 'c', 'ab', 'bc'];
    const pieces = {
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': names,
      'tokenizer.ggml.token_type': [3, 3, 1, 1, 1, 1, 1],
      'tokenizer.ggml.add_space_prefix': false,
    };
    const embedding = replaced('token_embd.weight', tensor('token_embd.weight', [7, 8]));
    const encode = async (scores: number[] | null) => {
      const { metadata } = await open({ ...pieces, 'tokenizer.ggml.scores': scores }, embedding);
      return ggufTokenizer(metadata).encode('abc');
    };
    expect(await encode([0, 0, 0, 0, 0, 1, 2])).toEqual([2, 6]);
    expect(await encode([0, 0, 0, 0, 0, 2, 1])).toEqual([5, 4]);
    expect(await encode(null)).toEqual([5, 4]);
  });

  it('leaves out tokens that only fill gaps', async () => {
    const made = await tokenizer({ 'tokenizer.ggml.token_type': [3, 3, 1, 1, 1, 5] });
    expect([made.vocabularySize, made.tokenId('▁')]).toEqual([5, null]);
  });

  it('takes a token called __proto__', async () => {
    const made = await tokenizer({ 'tokenizer.ggml.tokens': ['<s>', '</s>', 'a', 'b', 'ab', '__proto__'] });
    expect(made.tokenId('__proto__')).toBe(5);
  });

  it.each<[Record<string, GgufValue | null>, RegExp]>([
    [{ 'tokenizer.ggml.model': 'bert' }, /tokenizer "bert".*supported: gpt2, llama/],
    [{ 'tokenizer.ggml.pre': 'tekken' }, /pre-tokenizer "tekken".*supported: gpt-2/],
    [{ 'tokenizer.ggml.pre': '__proto__' }, /pre-tokenizer "__proto__"/],
    [{ 'tokenizer.ggml.tokens': null }, /no tokenizer/],
    [{ 'tokenizer.ggml.tokens': [1, 2] }, /tokens is not a list of strings/],
    [{ 'tokenizer.ggml.token_type': [1] }, /token_type has 1 entries for 6 tokens/],
    [{ 'tokenizer.ggml.merges': ['a b c'] }, /merge 0 of the tokenizer is not a pair/],
    [{ 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.scores': [1, 2] }, /scores has 2 entries for 6 tokens/],
  ])('refuses %j', async (changes, message) => {
    await expect(tokenizer(changes)).rejects.toThrow(message);
  });
});
