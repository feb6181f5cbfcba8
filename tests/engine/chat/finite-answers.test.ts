/** @file Models with NaN or infinity in a weight say so and name it, instead of answering with nothing. */
import { expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { openChatModel } from '../../../src/engine/open';
import { memoryFile } from '../../../src/formats/files/memory-files';
import { readWhole } from '../../../src/formats/files/whole-file';
import type { Model } from '../../../src/formats/model';
import { findNotFinite } from '../../../src/formats/not-finite';
import { openModel } from '../../../src/formats/open-model';
import { openTestGpu } from '../../support/gpu';

const root = new URL('../../../', import.meta.url).pathname;
const open = async (path: string) => openModel(await modelFiles(`${root}${path}`));

/** The model with one value of a weight replaced; its bytes are those of F32 or BF16. */
async function withValue(model: Model, weight: string, value: number): Promise<Model> {
  const entry = model.tensors.get(weight)!;
  const bytes = await readWhole(entry.file, entry.bytes, undefined, entry.begin, entry.begin + entry.bytes);
  const word = new DataView(new ArrayBuffer(4));
  word.setFloat32(0, value, true);
  const stored = new Uint8Array(word.buffer).subarray(entry.type === 'F32' ? 0 : 2);
  const at = bytes.length / 2;
  bytes.set(entry.type === 'F16' ? [0, Number.isNaN(value) ? 0x7e : 0x7c] : stored, at - (at % 4));
  const changed = { ...entry, file: memoryFile(weight, bytes), begin: 0 };
  return { ...model, tensors: new Map([...model.tensors, [weight, changed]]) };
}

async function answer(model: Model, temperature = 1): Promise<string> {
  const chat = await openChatModel(await openTestGpu(), model);
  const request = {
    messages: [{ role: 'user' as const, content: '1+2=' }],
    ...{ max_tokens: 8, temperature, top_k: 0, top_p: 1, seed: 0 },
  };
  let text = '';
  try {
    for await (const token of chat.generate(request, new AbortController().signal)) text += token.text;
  } finally {
    chat.close();
  }
  return text;
}

const large = 'tests/goldens/checkpoints/r1-qwen2';
const tiny = 'public/models/tinythink-1m';
const weights = ['model.norm.weight', 'model.layers.1.mlp.down_proj.weight'];

it.each([
  [tiny, weights[0]!, NaN, 1],
  [tiny, weights[1]!, NaN, 0],
  [large, weights[0]!, NaN, 1],
  [large, weights[1]!, NaN, 0],
  [large, weights[0]!, Infinity, 1],
])('%s with %s of %f at temperature %d', async (path, weight, value, temperature) => {
  const broken = await withValue(await open(path), weight, value);
  await expect(answer(broken, temperature)).rejects.toThrow(`its weight ${weight} holds values that are not finite`);
});

it('finds nothing in a sound model, and what is wrong in an adapter', async () => {
  const model = await open(large);
  expect(await findNotFinite(model)).toBeNull();
  const module = { rank: 1, scale: 1, a: Float32Array.of(1, NaN), b: Float32Array.of(0) };
  const adapter = { name: 'x', modules: new Map([['model.layers.0.self_attn.q_proj', module]]) };
  expect(await findNotFinite({ ...model, adapter })).toMatch(/q_proj of the adapter/);
});
