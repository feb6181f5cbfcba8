/** @file What a run needs is known from the config, the model's headers and the GPU's limits alone. */
import { expect, it } from 'vitest';
import { modelFiles } from '../../src/cli/model-files';
import { planTraining } from '../../src/engine/open';
import type { Model } from '../../src/formats/model';
import { openModel } from '../../src/formats/open-model';
import type { GpuTraits } from '../../src/gpu/gpu';
import type { RunConfig } from '../../src/rl/config';
import { defaultRunConfig } from '../../src/runs/config';

const gpu: GpuTraits = { isSoftware: false, device: { limits: { maxComputeWorkgroupStorageSize: 32768 } } };

/** A model whose weights can't be read. */
async function headersOf(path: string): Promise<Model> {
  const model = await openModel(await modelFiles(path));
  const tensors = [...model.tensors].map(([name, entry]) => {
    const read = () => {
      throw new Error('weights were read');
    };
    return [name, { ...entry, file: { ...entry.file, read } }] as const;
  });
  return { ...model, tensors: new Map(tensors) };
}
const reader = () => headersOf('tests/goldens/checkpoints/smollm2');
const config: RunConfig = { ...defaultRunConfig, num_prompts: 2, num_generations: 4, max_completion_length: 32 };
const adapters: RunConfig = { ...config, lora_r: 4 };
const bytesOf = async (model: Model, change: RunConfig) => (await planTraining(gpu, model, change)).bytes;

it('adapters: weights, merged copies, sampling, optimizer and activations, before anything is loaded', async () => {
  const { total, ...parts } = await bytesOf(await reader(), adapters);
  expect(Object.keys(parts)).toEqual(
    expect.arrayContaining(['weights', 'merged copies', 'sampling', 'adapters and optimizer', 'activations']),
  );
  expect(Object.values(parts).every((bytes) => bytes > 0)).toBe(true);
  expect(Object.values(parts).reduce((a, b) => a + b)).toBe(total);
  const model = await reader();
  const wider = await bytesOf(model, { ...adapters, lora_r: 8 });
  // Up to what aligns each matrix.
  expect(Math.abs(wider['adapters and optimizer']! / parts['adapters and optimizer']! - 2)).toBeLessThan(0.1);
  const fewer = await bytesOf(model, { ...adapters, lora_target_modules: 'q_proj' });
  expect(fewer['merged copies']).toBeLessThan(parts['merged copies']!);
});

it('adapters of the embedded model, which doesn’t read language', async () => {
  const model = await headersOf('public/models/tinythink-1m');
  const { bytes, learner } = await planTraining(gpu, model, adapters);
  expect(bytes.total).toBeGreaterThan(0);
  // Bare prompts of 32 tokens at most.
  expect(learner.maxPositions).toBe(32 + 32);
  expect(learner.reference).toBe(false);
});

it('all weights of a model that reads: their copies in f16 beside them', async () => {
  const model = await reader();
  const { bytes, learner } = await planTraining(gpu, model, { ...config, beta: 0.1 });
  expect(bytes.total).toBeGreaterThan(bytes['weights and optimizer']!);
  expect(bytes['weights and optimizer']! / (await bytesOf(model, config))['weights and optimizer']!).toBe(5 / 4);
  expect(learner.maxPositions).toBe(384 + 32);
});

it('smaller micro-batches where activations may take less', async () => {
  const model = await reader();
  const large = { ...adapters, num_prompts: 8, num_generations: 16, max_completion_length: 100 };
  const free = await planTraining(gpu, model, large);
  const half = { activationBytes: free.bytes.activations! / 2 };
  const tight = await planTraining(gpu, model, large, half);
  expect(tight.learner.maxTokens).toBeLessThan(free.learner.maxTokens);
  expect(tight.bytes.activations).toBeLessThanOrEqual(half.activationBytes);
});

it('refuses modules that can’t have adapters', async () => {
  await expect(planTraining(gpu, await reader(), { ...adapters, lora_target_modules: 'lm_head' })).rejects.toThrow(
    /not lm_head/,
  );
});
