/** @file GRPO with adapters: the same run again, through checkpoints too; the reference is the base; out comes a PEFT folder. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { modelFiles } from '../../src/cli/model-files';
import { mapSource } from '../../src/formats/files/file-source';
import { openModel } from '../../src/formats/open-model';
import { readPeft } from '../../src/formats/hf/peft';
import type { Gpu } from '../../src/gpu/gpu';
import { loraTargets } from '../../src/model/lora/lora-layout';
import type { RunConfig } from '../../src/rl/config';
import { adapterOfCheckpoint } from '../../src/rl/lora-checkpoint';
import { loraOf } from '../../src/rl/lora-config';
import { doesNotFit, planLoraRun } from '../../src/rl/lora-plan';
import { LoraSession } from '../../src/engine/lora-session';
import { openTestGpu } from '../support/gpu';
import { outcome, tinyConfig } from './tiny';

const root = new URL('../goldens/checkpoints/', import.meta.url).pathname;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

const config: RunConfig = {
  ...tinyConfig,
  task: 'word-problems',
  lora_r: 4,
  lora_alpha: 8,
  lora_target_modules: 'q_proj,v_proj',
  num_generations: 4,
  max_completion_length: 10,
  beta: 0.1,
  eval_problems: 1,
  learning_rate: 0.02,
};

const session = async (change: Partial<RunConfig> = {}) => {
  const opened = await openModel(await modelFiles(`${root}smollm2`));
  // A random model hardly ever draws its one ending; with more of them some completions end sooner than others.
  const model = { ...opened, config: { ...opened.config, eos_token_ids: [2, 30, 60, 90, 120, 150, 180, 210] } };
  return { model, session: await LoraSession.create(gpu, { ...config, ...change }, model) };
};

it('repeats itself, goes on from a checkpoint, and ends in a PEFT folder', async () => {
  const { session: first, model } = await session();
  const one = await first.step(1, {});
  expect(one.groups[0]!.prompt).toMatch(/How many/);
  expect(one.metrics.kl).toBe(0);
  expect(one.metrics.frac_reward_zero_std).toBeLessThan(1);
  const saved = await first.checkpoint();
  const two = await first.step(2, {});
  expect(two.metrics.kl).toBeGreaterThan(0);
  expect(Object.values(two.metrics).every(Number.isFinite)).toBe(true);

  const { session: again } = await session();
  await again.restore(saved);
  expect(outcome(await again.step(2, {}))).toEqual(outcome(two));
  expect((await again.evaluate()).samples).toHaveLength(1);
  expect(Buffer.from(await again.checkpoint()).equals(Buffer.from(await first.checkpoint()))).toBe(true);

  const source = mapSource('adapter', adapterOfCheckpoint(saved));
  const { modules } = await readPeft(source, loraTargets(model.config));
  expect(modules.size).toBe(2 * model.config.num_hidden_layers);
  expect([...modules.values()].every(({ rank, scale }) => rank === 4 && scale === 2)).toBe(true);
  expect([...modules.values()].some(({ b }) => b.some((value) => value !== 0))).toBe(true);
});

it('refuses the checkpoint of other adapters', async () => {
  const { session: one } = await session();
  const saved = await one.checkpoint();
  const { session: other } = await session({ lora_target_modules: 'q_proj' });
  await expect(other.restore(saved)).rejects.toThrow(/of other adapters/);
  await expect(other.restore(saved.slice(0, 50))).rejects.toThrow(/cut short/);
});

it('knows the bytes that it takes before it takes them, and says so where they are not given', async () => {
  const before = gpu.allocated;
  const { model } = await session();
  const { bytes } = planLoraRun(gpu, model, config, loraOf(config)!);
  expect(Math.abs(bytes.total! / (gpu.allocated - before) - 1)).toBeLessThan(0.1);
  const refused = doesNotFit(model, { ...bytes, weights: 2e9, total: 3e9 }, new Error('no')).message;
  expect(refused).toMatch(/smollm2 needs 3000 MB of GPU memory \(weights 2000 MB, .* fewer bits/);
});
