/** @file Opening, refusing and writing Hugging Face model folders. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { mapFiles } from '../../../src/formats/files/memory-files';
import { readFolderText, writeModelFolder } from '../../../src/formats/hf/folder';
import { parameterShapes } from '../../../src/formats/hf/architecture';
import { parseDecoderConfig } from '../../../src/formats/hf/hf-config';
import { readSafetensors, writeSafetensors } from '../../../src/formats/hf/safetensors';
import type { FloatTensor } from '../../../src/formats/hf/safetensors';
import { readWeights, tokenizerOf } from '../../../src/formats/model';
import { openModel } from '../../../src/formats/open-model';

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const embedded = new URL('../../../public/models/tinythink-1m/', import.meta.url);
const read = (name: string) => new Uint8Array(readFileSync(new URL(name, embedded)));
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of known files
const json = (bytes: Uint8Array): any => JSON.parse(new TextDecoder().decode(bytes));

const config = {
  ...json(read('config.json')),
  hidden_size: 8,
  head_dim: 4,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  intermediate_size: 12,
  num_hidden_layers: 1,
};
const weights: FloatTensor[] = parameterShapes(parseDecoderConfig(config)).map(({ name, shape }, t) => ({
  name,
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + t)),
}));

function folder(changes: Record<string, Uint8Array | null> = {}, tensors = weights): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>([
    ['config.json', text(config)],
    ['tokenizer.json', read('tokenizer.json')],
    ['tokenizer_config.json', read('tokenizer_config.json')],
    ['model.safetensors', writeSafetensors(tensors)],
  ]);
  for (const [path, bytes] of Object.entries(changes)) {
    if (bytes) files.set(path, bytes);
    else files.delete(path);
  }
  return files;
}
const load = async (files: Map<string, Uint8Array>) => {
  const model = await openModel(mapFiles('test', files));
  return { model, weights: await readWeights(model) };
};
const without = (name: string) => weights.filter((w) => w.name !== name);

describe('a model folder', () => {
  it('gives its config, tokenizer and every tensor', async () => {
    const { model, weights: read } = await load(folder());
    expect(model.config.hidden_size).toBe(8);
    expect(tokenizerOf(model).encode('1')).toEqual([8]);
    expect([...read.keys()]).toEqual(weights.map((w) => w.name));
    for (const w of weights) expect(read.get(w.name)!.data).toEqual(w.data);
    expect([...model.files.keys()]).toEqual(['config.json', 'tokenizer.json', 'tokenizer_config.json']);
  });

  it.each(['llama', 'qwen2', 'qwen3'])('opens when Transformers wrote it: %s', async (family) => {
    const path = new URL(`../../goldens/models/${family}`, import.meta.url).pathname;
    const model = await openModel(await modelFiles(path));
    expect(model.config.model_type).toBe(family);
    expect([...model.tensors.keys()]).toEqual(parameterShapes(model.config).map(({ name }) => name));
  });

  it('opens without a tokenizer, which only those who need text miss', async () => {
    const { model, weights: read } = await load(folder({ 'tokenizer.json': null, 'tokenizer_config.json': null }));
    expect(model.tokenizer).toBeNull();
    expect(read.size).toBe(weights.length);
    expect(() => tokenizerOf(model)).toThrow('test has no tokenizer.json');
    await expect(load(folder({ 'tokenizer_config.json': null }))).rejects.toThrow('test has no tokenizer_config.json');
  });

  it('tells what its text files say before any weights are there', async () => {
    const text = await readFolderText(mapFiles('test', folder({ 'model.safetensors': null })));
    expect(text.config.num_hidden_layers).toBe(1);
    expect(text.tokenizer!.encode('1')).toEqual([8]);
  });

  it('loads shards through their index, and a tied head written out', async () => {
    const embedding = weights.find(({ name }) => name === 'model.embed_tokens.weight')!;
    const head = { ...embedding, name: 'lm_head.weight' };
    const files = folder({
      'model.safetensors': null,
      'one.safetensors': writeSafetensors(weights.slice(0, 3)),
      'two.safetensors': writeSafetensors([...weights.slice(3), head]),
      'model.safetensors.index.json': text({ weight_map: { a: 'two.safetensors', b: 'one.safetensors' } }),
    });
    const { weights: read } = await load(files);
    expect(read.size).toBe(weights.length);
    expect(read.has('lm_head.weight')).toBe(false);
    files.delete('two.safetensors');
    await expect(load(files)).rejects.toThrow('test has no two.safetensors');
  });

  it.each<[string, Map<string, Uint8Array>, RegExp]>([
    ['no config', folder({ 'config.json': null }), /test has no config\.json/],
    ['no weights', folder({ 'model.safetensors': null }), /test has no model\.safetensors/],
    ['broken JSON', folder({ 'tokenizer.json': text('x').subarray(1) }), /^tokenizer\.json: /],
    [
      'cut weights',
      folder({ 'model.safetensors': writeSafetensors(weights).subarray(0, -9) }),
      /model\.safetensors: the file is cut short: \d+ bytes expected, \d+ there/,
    ],
    ['a missing tensor', folder({}, without('model.norm.weight')), /no tensor model\.norm\.weight/],
    [
      'an extra tensor',
      folder({}, [...weights, { name: 'x.bias', shape: [1], data: new Float32Array(1) }]),
      /a tensor x\.bias that config\.json doesn't imply/,
    ],
    [
      'a wrong shape',
      folder({ 'config.json': text({ ...config, intermediate_size: 16 }) }),
      /tensor model\.layers\.0\.mlp\.gate_proj\.weight has shape \[12, 8\], expected \[16, 8\]/,
    ],
    [
      'a small vocabulary',
      folder({ 'config.json': text({ ...config, vocab_size: 60 }) }),
      /tokenizer has 64 tokens, but config\.json's vocab_size is 60/,
    ],
    [
      'an index that climbs',
      folder({
        'model.safetensors': null,
        'model.safetensors.index.json': text({ weight_map: { a: '../secret.safetensors' } }),
      }),
      /not a safetensors file/,
    ],
  ])('refuses %s', async (_, files, message) => {
    await expect(load(files)).rejects.toThrow(message);
  });
});

describe('writeModelFolder', () => {
  it('writes a folder that loads again, in f32 bit for bit and in f16 rounded', async () => {
    const { model } = await load(folder());
    const single = await load(writeModelFolder(model, weights, 'F32'));
    for (const w of weights) expect(single.weights.get(w.name)!.data).toEqual(w.data);
    const files = writeModelFolder(model, [...weights].reverse(), 'F16');
    expect(json(files.get('config.json')!)).toMatchObject({ torch_dtype: 'float16', hidden_size: 8 });
    const stored = readSafetensors(files.get('model.safetensors')!);
    expect([...stored.tensors.keys()]).toEqual(weights.map((w) => w.name));
    expect(stored.metadata).toEqual({ format: 'pt' });
    for (const [name, { data }] of (await load(files)).weights) {
      const exact = weights.find((w) => w.name === name)!.data;
      // Half a unit in the last of 11 bits, or of the subnormals' 2^-24.
      const worst = data.findIndex((v, i) => Math.abs(v - exact[i]!) > Math.max(Math.abs(exact[i]!) / 2048, 2 ** -25));
      expect(worst).toBe(-1);
    }
  });

  it('keeps the key that Transformers 5 uses', async () => {
    const { torch_dtype: _, ...rest } = config;
    const { model } = await load(folder({ 'config.json': text({ ...rest, dtype: 'bfloat16' }) }));
    const written = json(writeModelFolder(model, weights, 'F32').get('config.json')!);
    expect([written.dtype, written.torch_dtype]).toEqual(['float32', undefined]);
  });

  it('refuses tensors that are not the model', async () => {
    const { model } = await load(folder());
    expect(() => writeModelFolder(model, without('model.norm.weight'), 'F32')).toThrow(
      /model\.norm\.weight is missing/,
    );
    const extra = { name: 'x', shape: [1], data: new Float32Array(1) };
    expect(() => writeModelFolder(model, [...weights, extra], 'F32')).toThrow(/tensor x is not one of the model's/);
    const bent = { name: 'model.norm.weight', shape: [2, 4], data: new Float32Array(8) };
    expect(() => writeModelFolder(model, [...without(bent.name), bent], 'F32')).toThrow(
      /shape \[2, 4\], expected \[8\]/,
    );
  });
});
