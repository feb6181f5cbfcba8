/** @file Opening models of every architecture and form, and what is refused before any weights are read. */
import { describe, expect, it } from 'vitest';
import { readTensor } from '../../src/formats/gguf/dequantise';
import { parameterShapes } from '../../src/formats/hf/architecture';
import type { ModelFiles } from '../../src/formats/files/model-files';
import type { StoredType } from '../../src/formats/gguf/stored-types';
import { openModel } from '../../src/formats/open-model';
import { readSafetensors, toFloat32, writeSafetensors } from '../../src/formats/hf/safetensors';
import { mapFiles } from '../../src/formats/files/memory-files';
import { checkpoint, readGolden } from './checkpoints';

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const json = (path: string) => JSON.parse(new TextDecoder().decode(readGolden(path))) as Record<string, unknown>;

/** The same files, with what is read of them noted: `name begin-end`. */
function watched(files: ModelFiles): { files: ModelFiles; reads: string[] } {
  const reads: string[] = [];
  return {
    reads,
    files: {
      ...files,
      async open(path) {
        const file = await files.open(path);
        return (
          file && {
            ...file,
            read(begin, end, signal) {
              reads.push(`${path} ${begin}-${end}`);
              return file.read(begin, end, signal);
            },
          }
        );
      },
    },
  };
}

const folders: [name: string, architecture: string, type: StoredType, expected: object][] = [
  [
    'llama3',
    'LlamaForCausalLM',
    'BF16',
    { rope_scaling: { rope_type: 'llama3', factor: 8 }, eos_token_ids: [297, 296, 293] },
  ],
  ['r1-qwen2', 'Qwen2ForCausalLM', 'BF16', { qkv_bias: true, tie_word_embeddings: false, vocab_size: 320 }],
  ['qwen3', 'Qwen3ForCausalLM', 'BF16', { qk_norm: true, head_dim: 32, num_attention_heads: 4 }],
  ['mistral', 'MistralForCausalLM', 'F16', { model_type: 'mistral', bos_token_id: 1 }],
  ['smollm2', 'LlamaForCausalLM', 'F16', { num_attention_heads: 9, num_key_value_heads: 3 }],
];
const ggufs: [name: string, types: StoredType[]][] = [
  ...(['f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q4_k'] as const).map(
    (type): [string, StoredType[]] => [`qwen2-${type}`, [type.toUpperCase() as StoredType]],
  ),
  ['qwen2-q5_k', ['Q5_K', 'Q6_K']],
  ...(['f16', 'q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1'] as const).map((type): [string, StoredType[]] => [
    `llama-${type}`,
    [type.toUpperCase() as StoredType],
  ]),
  ['llama3-k', ['Q6_K', 'Q4_K', 'Q5_K', 'Q5_0']],
  ['qwen3-f16', ['F16']],
];

describe('openModel', () => {
  it.each(folders)('opens the folder %s', async (name, architecture, type, expected) => {
    const { files, reads } = watched(checkpoint(name));
    const model = await openModel(files);
    expect(model.config).toMatchObject({ architecture, ...expected });
    expect([...model.tensors.keys()]).toEqual(parameterShapes(model.config).map((each) => each.name));
    expect([...model.tensors.values()].every((tensor) => tensor.type === type)).toBe(true);
    expect(model.bytes).toBe([...model.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0));
    // Of the weights only the headers.
    const headers = reads.filter((read) => read.includes('.safetensors ')).map((read) => read.split(/[ -]/).at(-1));
    const first = Math.min(...[...model.tensors.values()].map(({ begin }) => begin));
    expect(headers.length).toBeGreaterThan(1);
    expect(headers.every((end) => Number(end) <= Math.max(first, 4000))).toBe(true);
  });

  it('finds each shard by the index, and its values are those in the file', async () => {
    const { tensors } = await openModel(checkpoint('r1-qwen2'));
    expect(new Set([...tensors.values()].map(({ file }) => file.name)).size).toBe(4);
    const { weight_map } = json('r1-qwen2/model.safetensors.index.json') as { weight_map: Record<string, string> };
    for (const [name, shard] of Object.entries(weight_map)) {
      expect(tensors.get(name)!.file.name).toBe(shard);
      const expected = toFloat32(readSafetensors(readGolden(`r1-qwen2/${shard}`)).tensors.get(name)!);
      const values = await readTensor(tensors.get(name)!);
      expect(Buffer.compare(new Uint8Array(values.buffer), new Uint8Array(expected.buffer))).toBe(0);
    }
  });

  it("reads version 4's config.json as version 5's", async () => {
    const config = { 'config.json': readGolden('llama3/config.v4.json') };
    const four = await openModel(checkpoint('llama3', config));
    expect(four.config).toEqual((await openModel(checkpoint('llama3'))).config);
  });

  it.each(ggufs)('opens %s.gguf', async (name, types) => {
    const { files, reads } = watched(checkpoint(`${name}.gguf`));
    const { config, tensors, tokenizer, bytes } = await openModel(files);
    expect([...tensors.keys()]).toEqual(parameterShapes(config).map((each) => each.name));
    const matrices = [...tensors.values()].filter(({ shape }) => shape.length === 2);
    expect(new Set(matrices.map(({ type }) => type))).toEqual(new Set(types));
    const vectors = [...tensors.values()].filter(({ shape }) => shape.length === 1);
    expect(vectors.every(({ type }) => type === 'F32')).toBe(true);
    const interleaved = [...tensors.values()].filter(({ interleavedHeads }) => interleavedHeads !== undefined);
    expect(interleaved.length).toBe(name.startsWith('llama') ? 2 * config.num_hidden_layers : 0);
    expect(config.tie_word_embeddings).toBe(name !== 'llama-q8_0');
    expect(tokenizer?.vocabularySize).toBe(config.vocab_size);
    expect(tokenizer?.hasChatTemplate).toBe(true);
    expect(config.eos_token_ids[0]).toBe(tokenizer?.eosId);
    const size = (await files.open(`${name}.gguf`))!.size;
    expect(bytes).toBeLessThan(size);
    expect(reads.length).toBeGreaterThan(0);
  });

  it('scales the frequencies of a GGUF of Llama 3', async () => {
    const { config } = await openModel(checkpoint('llama3-k.gguf'));
    const { rope_scaling: scaling } = config;
    if (scaling?.rope_type !== 'factors') throw new Error('no factors');
    expect(scaling.factors.length).toBe(config.head_dim / 2);
    expect([scaling.factors[0], scaling.factors.at(-1)]).toEqual([1, 8]);
    expect(scaling.factors[1]).toBeGreaterThan(1);
    expect(scaling.factors[1]).toBeLessThan(8);
  });

  it('recommends what the makers do', async () => {
    const sampling = async (files: ModelFiles) => (await openModel(files)).sampling;
    const generation = (value: unknown) => ({ 'generation_config.json': text(value) });
    expect(await sampling(checkpoint('qwen3'))).toEqual({ temperature: 0.6, top_p: 0.95, top_k: 20 });
    expect(await sampling(checkpoint('smollm2'))).toEqual({});
    // DeepSeek's advice for R1's distills, where the files say nothing.
    expect(await sampling(checkpoint('r1-qwen2', generation({})))).toEqual({ temperature: 0.6, top_p: 0.95 });
    const strange = { temperature: -1, top_p: '0.9', top_k: 1e9, repetition_penalty: 1.1, min_p: 0.05 };
    expect(await sampling(checkpoint('qwen3', generation(strange)))).toEqual({ repetition_penalty: 1.1, min_p: 0.05 });
    const greedy = { do_sample: false, temperature: 0.7, top_p: 0.8, repetition_penalty: 1.05 };
    const expected = { temperature: 0, repetition_penalty: 1.05 };
    expect(await sampling(checkpoint('qwen3', generation(greedy)))).toEqual(expected);
  });

  it('finds a .gguf where files cannot be listed', async () => {
    const files = checkpoint('qwen2-q4_0.gguf');
    expect((await openModel({ ...files, list: () => Promise.resolve(null) })).config.model_type).toBe('qwen2');
    expect((await openModel({ ...checkpoint('qwen3'), list: () => Promise.resolve(null) })).config.qk_norm).toBe(true);
  });

  const one = readGolden('smollm2/model.safetensors');
  const config = json('smollm2/config.json');
  it.each<[string, ModelFiles, RegExp]>([
    ['no files', mapFiles('empty', new Map()), /empty has no config\.json/],
    [
      'several GGUF files',
      mapFiles(
        'two',
        new Map([
          ['a.gguf', one],
          ['b.gguf', one],
        ]),
      ),
      /several \.gguf files/,
    ],
    ['no weights', checkpoint('smollm2', { 'model.safetensors': null }), /smollm2 has no model\.safetensors/],
    [
      'a missing shard',
      checkpoint('r1-qwen2', { 'model-00003-of-00004.safetensors': null }),
      /no model-00003-of-00004\.safetensors, which model\.safetensors\.index\.json names/,
    ],
    [
      'the same shard twice',
      checkpoint('r1-qwen2', {
        'model-00003-of-00004.safetensors': readGolden('r1-qwen2/model-00002-of-00004.safetensors'),
      }),
      /is in two files/,
    ],
    [
      'an index that climbs',
      checkpoint('r1-qwen2', { 'model.safetensors.index.json': text({ weight_map: { a: '../a.safetensors' } }) }),
      /"\.\.\/a\.safetensors" is not a safetensors file/,
    ],
    [
      'cut weights',
      checkpoint('smollm2', { 'model.safetensors': one.subarray(0, -9) }),
      /model\.safetensors: the file is cut short: \d+ bytes expected/,
    ],
    ['a cut header', checkpoint('smollm2', { 'model.safetensors': one.subarray(0, 100) }), /cut short in its header/],
    [
      'no header',
      checkpoint('smollm2', { 'model.safetensors': one.subarray(0, 5) }),
      /at least 8 bytes expected, 5 there/,
    ],
    [
      'a web page',
      checkpoint('smollm2', { 'model.safetensors': new TextEncoder().encode('<!doctype html><html>') }),
      /not a safetensors file/,
    ],
    [
      'another model',
      checkpoint('smollm2', { 'config.json': text({ ...config, intermediate_size: 65 }) }),
      /gate_proj\.weight has shape \[64, 72\], expected \[65, 72\]/,
    ],
    [
      'tensors that are missing',
      checkpoint('smollm2', { 'model.safetensors': writeSafetensors([]) }),
      /no tensor model\.embed_tokens\.weight/,
    ],
    [
      'a tokenizer that is too large',
      checkpoint('smollm2', { 'config.json': text({ ...config, vocab_size: 200, eos_token_id: 2 }) }),
      /tokenizer has 297 tokens/,
    ],
  ])('refuses %s', async (_, files, message) => {
    await expect(openModel(files)).rejects.toThrow(message);
  });

  it('refuses a config before it asks for weights', async () => {
    const { files, reads } = watched(checkpoint('smollm2', { 'config.json': text({ ...config, hidden_act: 'gelu' }) }));
    await expect(openModel(files)).rejects.toThrow(/hidden_act "gelu" is not supported/);
    expect(reads.filter((read) => read.includes('safetensors'))).toEqual([]);
  });

  it('stops when told to', async () => {
    for (const name of ['qwen3', 'qwen3-f16.gguf']) {
      await expect(openModel(checkpoint(name), AbortSignal.abort())).rejects.toThrow(/abort/);
    }
  });
});
