/** @file `tinythink logits`: token ids in, logits out, of a folder with or without a tokenizer. */
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { logits } from '../../../src/cli/commands/generate';
import { readSafetensors, toFloat32 } from '../../../src/formats/hf/safetensors';
import { loadGolden, relativeError } from '../goldens';

vi.mock('../../../src/cli/gpu', async () => {
  const { openTestGpu } = await import('../../support/gpu');
  return { openGpu: () => openTestGpu() };
});

const root = new URL('../../goldens/', import.meta.url).pathname;
let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'logits-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

it('computes logits of a model without a tokenizer, with an adapter too', async () => {
  const { sequences, model } = await loadGolden('llama');
  const bare = join(folder, 'bare');
  await mkdir(bare);
  for (const name of ['config.json', 'model.safetensors'])
    await copyFile(`${root}models/llama/${name}`, join(bare, name));
  const ids = sequences.at(-1)!.slice(0, 20);
  const run = async (...more: string[]) => {
    const out = join(folder, 'logits.safetensors');
    await logits(['--model', bare, '--ids', ids.join(), '--out', out, ...more]);
    const tensor = readSafetensors(new Uint8Array(await readFile(out))).tensors.get('logits')!;
    expect(tensor.shape).toEqual([20, model.config.vocab_size]);
    return toFloat32(tensor);
  };
  const golden = readSafetensors(new Uint8Array(await readFile(`${root}lora/llama.golden.safetensors`)));
  const expected = toFloat32(golden.tensors.get('logits')!).subarray(0, 20 * model.config.vocab_size);
  const plain = await run();
  expect(plain.every(Number.isFinite)).toBe(true);
  expect(relativeError(plain, expected)).toBeGreaterThan(1e-3);
  expect(relativeError(await run('--adapter', `${root}lora/llama`), expected)).toBeLessThan(1e-4);
});
