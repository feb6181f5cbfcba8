/**
 * @file Inference on packed weights against Transformers, on small random models in the formats that people have: logits
 * of a prompt computed at once, and of 128 tokens fed one by one.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { openModel } from '../../../src/formats/open-model';
import { readSafetensors, toFloat32, toIntegers } from '../../../src/formats/hf/safetensors';
import type { Gpu } from '../../../src/gpu/gpu';
import { InferenceModel } from '../../../src/model/infer/inference-model';
import { inferencePlan, type InferenceOptions } from '../../../src/model/infer/inference-plan';
import { forcedLogits } from '../../../bench/models/forced-logits';
import { promptLogits } from '../../../src/model/infer/logits';
import { openTestGpu } from '../../support/gpu';

const root = new URL('../../goldens/checkpoints/', import.meta.url).pathname;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

function golden(name: string) {
  const { tensors } = readSafetensors(readFileSync(`${root}${name.replace(/\.gguf$/, '')}.golden.safetensors`));
  const ids = (key: string) => toIntegers(tensors.get(key)!);
  const values = (key: string) => toFloat32(tensors.get(key)!);
  return { ids, values };
}

async function load(name: string, options: InferenceOptions) {
  const opened = await openModel(await modelFiles(root + name));
  const plan = inferencePlan(opened.config, (tensor) => opened.tensors.get(tensor)!.type, {
    context: 192,
    prefillTokens: 16,
    ...options,
  });
  return InferenceModel.load(gpu, opened, plan);
}

/** Largest difference as a share of the largest value. */
function worst(found: Float32Array, wanted: Float32Array): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) {
    const distance = Math.abs(found[i]! - wanted[i]!);
    difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
    largest = Math.max(largest, Math.abs(wanted[i]!));
  }
  return difference / largest;
}

/** The worst of rows that lie one after another in `wanted`. */
const worstOf = (rows: Float32Array[], wanted: Float32Array): number =>
  Math.max(...rows.map((row, i) => worst(row, wanted.subarray(i * row.length, (i + 1) * row.length))));

const top = (logits: Float32Array) => logits.indexOf(Math.max(...logits));

const exact = { cache: 'f32', quant: 'stored' } as const;

describe('weights as they are stored, in f32', () => {
  it.each(['llama3', 'r1-qwen2', 'qwen3', 'mistral', 'smollm2', 'llama3-k.gguf'])('%s', async (name) => {
    const model = await load(name, exact);
    const { ids, values } = golden(name);
    // In pieces of five: the second one attends to what the first left in the cache.
    expect(worstOf(await promptLogits(model, ids('input_ids'), 5), values('logits'))).toBeLessThan(1e-4);
    const logits = await forcedLogits(model, ids('forced'));
    const wanted = ids('forced_top');
    expect(logits.filter((row, i) => top(row) === wanted[i]).length).toBe(128);
    expect(worst(logits.at(-1)!, values('forced_last_logits'))).toBeLessThan(1e-4);
    model.free();
  });

  // Token by token, which takes half the kernels; those for prompts are tested with every kind in tests/nn.
  const types = ['f32', 'f16', 'bf16', 'q8_0', 'q4_0', 'q4_1', 'q5_0', 'q5_1', 'q4_k', 'q5_k'];
  it.each([...types.map((type) => `qwen2-${type}.gguf`), 'llama-q8_0.gguf', 'qwen3-f16.gguf'])('%s', async (name) => {
    const model = await load(name, { ...exact, prefillTokens: 1 });
    const { ids, values } = golden(name);
    expect(worstOf(await forcedLogits(model, ids('input_ids')), values('logits'))).toBeLessThan(1e-4);
    model.free();
  });
});

describe('matrices in several buffers', () => {
  it.each(['qwen2-q4_0.gguf', 'smollm2'])('%s', async (name) => {
    const opened = await openModel(await modelFiles(root + name));
    const plan = inferencePlan(opened.config, (tensor) => opened.tensors.get(tensor)!.type, {
      ...exact,
      context: 16,
      prefillTokens: 8,
    });
    plan.weights.largestBuffer = 2000;
    const model = await InferenceModel.load(gpu, opened, plan);
    expect(model.weights.embedding.parts.length).toBeGreaterThan(4);
    const { ids, values } = golden(name);
    expect(worstOf(await promptLogits(model, ids('input_ids')), values('logits'))).toBeLessThan(1e-4);
    model.free();
    const again = await InferenceModel.load(gpu, opened, plan);
    expect(worstOf(await forcedLogits(again, ids('input_ids')), values('logits'))).toBeLessThan(1e-4);
    again.free();
  });
});

describe('weights and cache in f16', () => {
  it.each(['r1-qwen2', 'qwen3'])('%s', async (name) => {
    const model = await load(name, { cache: 'f16', quant: 'f16' });
    const { ids, values } = golden(name);
    expect(worstOf(await promptLogits(model, ids('input_ids')), values('logits'))).toBeLessThan(2e-2);
    const logits = await forcedLogits(model, ids('forced'));
    const wanted = ids('forced_top');
    expect(logits.filter((row, i) => top(row) === wanted[i]).length).toBeGreaterThanOrEqual(127);
    expect(worst(logits.at(-1)!, values('forced_last_logits'))).toBeLessThan(2e-2);
    model.free();
  });
});

describe('a cache in q8', () => {
  it('keeps the likeliest token of all but a few positions', async () => {
    const model = await load('r1-qwen2', { cache: 'q8', quant: 'stored', prefillTokens: 1 });
    const { ids } = golden('r1-qwen2');
    const logits = await forcedLogits(model, ids('forced'));
    const wanted = ids('forced_top');
    expect(logits.filter((row, i) => top(row) === wanted[i]).length).toBeGreaterThanOrEqual(122);
    model.free();
  });
});
