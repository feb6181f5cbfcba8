/** @file GRPO on adapters: reproducible, from checkpoints too; samples from what it learns; on any model, and on adapters. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { PackedChatModel } from '../../../src/engine/chat/packed-chat-model';
import { openTraining, planTraining } from '../../../src/engine/open';
import { doesNotFit } from '../../../src/engine/training/reserve-memory';
import { mapFiles } from '../../../src/formats/files/memory-files';
import { baseOfAdapter, readPeft } from '../../../src/formats/hf/peft';
import { readWeights, type Model } from '../../../src/formats/model';
import { openModel } from '../../../src/formats/open-model';
import type { Gpu } from '../../../src/gpu/gpu';
import { loraTargets } from '../../../src/model/lora/lora-layout';
import { decodeCheckpoint, encodeCheckpoint, exportCheckpoint, modelOfCheckpoint } from '../../../src/rl/checkpoint';
import type { RunConfig } from '../../../src/rl/config';
import type { ChatModel } from '../../../src/runs/chat-model';
import { relativeError } from '../../model/goldens';
import { openTestGpu } from '../../support/gpu';
import { sampleAndScore } from './log-probs';
import { outcome, tinyConfig, tinyModel } from './tiny';

const root = new URL('../../goldens/', import.meta.url).pathname;

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

/** A random model hardly ever draws its one ending; with more of them some completions end sooner than others. */
const withEndings = (model: Model, eos_token_ids: number[]): Model => ({
  ...model,
  config: { ...model.config, eos_token_ids },
});
/** A small model that reads language. */
const reader = async (): Promise<Model> =>
  withEndings(await openModel(await modelFiles(`${root}checkpoints/smollm2`)), [2, 30, 60, 90, 120, 150, 180, 210]);
const session = async (change: Partial<RunConfig> = {}) => {
  const model = await reader();
  return { model, session: await openTraining(gpu, model, { ...config, ...change }) };
};

it('is reproducible, continues from a checkpoint, and ends in a PEFT folder', async () => {
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
  expect((await again.evaluate(0)).samples).toHaveLength(1);
  expect(Buffer.from(await again.checkpoint()).equals(Buffer.from(await first.checkpoint()))).toBe(true);

  const files = mapFiles('adapter', exportCheckpoint(model, saved));
  expect(await baseOfAdapter(files)).toBe(model.name);
  const { modules } = await readPeft(files, loraTargets(model.config));
  expect(modules.size).toBe(2 * model.config.num_hidden_layers);
  expect([...modules.values()].every(({ rank, scale }) => rank === 4 && scale === 2)).toBe(true);
  expect([...modules.values()].some(({ b }) => b.some((value) => value !== 0))).toBe(true);
});

it('refuses the checkpoint of other adapters, and of all weights', async () => {
  const { session: one } = await session();
  const saved = await one.checkpoint();
  const { session: other } = await session({ lora_target_modules: 'q_proj' });
  await expect(other.restore(saved)).rejects.toThrow(/not one of this model/);
  const { session: scaled } = await session({ lora_alpha: 16 });
  await expect(scaled.restore(saved)).rejects.toThrow(/of other adapters: .*"lora_alpha":8.*, not .*"lora_alpha":16/);
  const bare = encodeCheckpoint({ ...decodeCheckpoint(saved), adapter: null });
  await expect(one.restore(bare)).rejects.toThrow(/of other adapters: none, not /);
  await expect(other.restore(saved.slice(0, 50))).rejects.toThrow(/cut short/);
});

it('knows the bytes that it takes before it takes them, and says so where they are not given', async () => {
  const before = gpu.allocated;
  const { model } = await session();
  const { bytes } = await planTraining(gpu, model, config);
  expect(Math.abs(bytes.total! / (gpu.allocated - before) - 1)).toBeLessThan(0.1);
  const refused = doesNotFit(model.name, { ...bytes, weights: 2e9, total: 3e9 }, new Error('no')).message;
  expect(refused).toMatch(/smollm2 needs 3000 MB of GPU memory \(weights 2000 MB, .* fewer bits/);
});

// The sampler's cache is in f16, and so are its merged copies of quantised matrices.
it.each(['models/llama', 'checkpoints/llama3-k.gguf'])('%s: samples what its learner scores', async (path) => {
  const model = await openModel(await modelFiles(root + path));
  const own = await openTraining(gpu, model, {
    ...{ ...config, lora_alpha: 16, lora_target_modules: 'q_proj,v_proj,down_proj' },
    task: 'sum',
    max_completion_length: 12,
  });
  const { learner, sampler } = own.parts;
  const settings = {
    epsilon: 0.2,
    epsilon_high: 0.2,
    delta: null,
    beta: 0.1,
    sapo_temperature_pos: 1,
    sapo_temperature_neg: 1,
  };
  const adamw = {
    learning_rate: 0.02,
    adam_beta1: 0.9,
    adam_beta2: 0.99,
    adam_epsilon: 1e-8,
    weight_decay: 0,
    max_grad_norm: 1,
  };
  const prompt = [5, 9, 17, 30];
  const changes: number[] = [];
  for (let step = 1; step <= 3; step++) {
    const { samples, scored, error } = await sampleAndScore(own, prompt, { max_new_tokens: 12, stream: step });
    expect(error).toBeLessThan(5e-3);
    const batch = learner.load([{ prompt, completions: samples.map(({ ids }) => ids) }], (i) => ({
      advantage: i - 1.5,
      weight: 0.02,
    }));
    const recorder = gpu.recorder();
    learner.scoreAs(recorder, batch, 'reference', learner.rows.refLogp, 0.8);
    learner.accumulate(recorder, batch, settings, { onPolicy: true, temperature: 0.8 });
    const read = recorder.read(learner.rows.refLogp, 4 * batch.batch.rows);
    learner.update(recorder, step, adamw);
    recorder.submit();
    changes.push(relativeError(scored, new Float32Array(await read)));
    sampler.weightsChanged();
  }
  // B starts at zero: the first policy is the reference, and no later one is.
  expect(changes[0]).toBe(0);
  expect(changes[1]).toBeGreaterThan(1e-2);
  expect(changes[2]).toBeGreaterThan(changes[1]!);
});

it('trains a model of the tasks’ own characters too, on bare prompts', async () => {
  const model = withEndings(await tinyModel(), [2, 10, 18, 26, 34, 42, 50, 58]);
  const own = await openTraining(gpu, model, { ...tinyConfig, lora_r: 4, lora_alpha: 8 });
  const start = decodeCheckpoint(await own.checkpoint());
  const { groups, metrics } = await own.step(1, {});
  expect(metrics.frac_reward_zero_std).toBeLessThan(1);
  expect(groups[0]!.prompt).toMatch(/^\d[\d+-]*=$/);
  const saved = await own.checkpoint();
  const after = decodeCheckpoint(saved);
  expect(after.adapter).toMatchObject({ base_model: model.name, lora: { r: 4 } });
  const values = (tensors: typeof after.parameters) =>
    tensors.filter(({ name }) => name.endsWith('lora_B.weight')).flatMap(({ data }) => [...data]);
  expect(values(start.parameters).every((value) => value === 0)).toBe(true);
  expect(values(after.parameters).some((value) => value !== 0)).toBe(true);

  const files = exportCheckpoint(model, saved);
  expect([...files.keys()]).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  const { modules } = await readPeft(mapFiles('adapter', files), loraTargets(model.config));
  expect(modules.size).toBe(7 * model.config.num_hidden_layers);
});

/** The largest relative difference of any weight from what it should be. */
async function worstWeight(model: Model, expected: ReadonlyMap<string, { data: Float32Array }>): Promise<number> {
  const weights = await readWeights(model);
  return Math.max(...[...weights].map(([name, { data }]) => relativeError(data, expected.get(name)!.data)));
}

it('starts from the adapters of another run, and writes both as one adapter of the base', async () => {
  const base = await reader();
  const first = await openTraining(gpu, base, config);
  await first.step(1, {});
  const one = modelOfCheckpoint(base, await first.checkpoint(), 'run:a@1');
  expect([one.name, one.baseName]).toEqual(['run:a@1', base.name]);

  // Other modules, of another rank and scale; those that both adapt have their adapters stacked.
  const change = { lora_r: 8, lora_alpha: 4, lora_target_modules: 'v_proj,down_proj', seed: 11 };
  const second = await openTraining(gpu, one, { ...config, ...change });
  // The new adapters add nothing yet: the second run begins with the model that the first one made.
  const prompt = [5, 9, 17, 30];
  const before = await sampleAndScore(first, prompt);
  const now = await sampleAndScore(second, prompt);
  expect(now.samples.map(({ ids }) => ids)).toEqual(before.samples.map(({ ids }) => ids));
  expect(now.error).toBeLessThan(5e-3);
  expect((await second.step(1, {})).metrics.kl).toBe(0);
  const saved = await second.checkpoint();

  const bare = await readWeights(base);
  const expected = await readWeights(one);
  const { parameters, adapter } = decodeCheckpoint(saved);
  expect(adapter).toMatchObject({ base_model: base.name, lora: { r: 8 } });
  const values = new Map(parameters.map(({ name, data }) => [name, data]));
  let moved = 0;
  for (const [name, { shape, data }] of expected) {
    const module = `base_model.model.${name.replace(/\.weight$/, '')}`;
    const [a, b] = [values.get(`${module}.lora_A.weight`), values.get(`${module}.lora_B.weight`)];
    if (!a || !b) continue;
    const [rows, columns] = shape as [number, number];
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let r = 0; r < 8; r++) sum += b[row * 8 + r]! * a[r * columns + column]!;
        data[row * columns + column]! += (4 / 8) * sum;
        moved += Math.abs(sum);
      }
    }
  }
  expect(moved).toBeGreaterThan(0);

  const files = mapFiles('both', exportCheckpoint(one, saved));
  expect(await baseOfAdapter(files)).toBe(base.name);
  const both = await readPeft(files, loraTargets(base.config));
  const layers = base.config.num_hidden_layers;
  const ranks = [...both.modules].map(([name, { rank }]) => `${name.split('.').at(-1)} ${rank}`).sort();
  expect(ranks).toEqual(
    ['down_proj 8', 'q_proj 4', 'v_proj 12'].flatMap((rank) => Array.from({ length: layers }, () => rank)),
  );
  expect(await worstWeight({ ...base, adapter: both }, expected)).toBeLessThan(1e-6);
  expect(await worstWeight({ ...base, adapter: both }, bare)).toBeGreaterThan(1e-4);
  expect(await worstWeight(modelOfCheckpoint(one, saved, 'run:b@1'), expected)).toBeLessThan(1e-6);
});

describe('chat during a run', () => {
  const request = {
    messages: [{ role: 'user' as const, content: 'How many?' }],
    ...{ max_tokens: 8, temperature: 0, top_k: 0, top_p: 1, seed: 0 },
  };
  const answer = async (chat: ChatModel) => {
    const ids: number[] = [];
    for await (const { id } of chat.generate(request, new AbortController().signal)) if (id !== undefined) ids.push(id);
    return ids;
  };
  /** What a model answers that is loaded by itself. */
  const alone = async (model: Model) => answer(await PackedChatModel.load(gpu, model, { context: 400 }));

  it('answers as the base and as the trained model, in the memory of the run', async () => {
    const model = await reader();
    // Steps as large as these change what the likeliest token is.
    const large = { ...config, learning_rate: 0.3 };
    const session = await openTraining(gpu, model, large);
    for (const step of [1, 2]) await session.step(step, {});
    const before = gpu.allocated;
    const [start, current] = [session.chatModel('start')!, session.chatModel('current')!];
    const answers = { start: await answer(start), current: await answer(current) };
    expect(answers.current).not.toEqual(answers.start);
    const { bytes } = await planTraining(gpu, model, large);
    expect(gpu.allocated - before).toBeLessThan(bytes.weights! / 4);
    expect(answers.start).toEqual(await alone(model));
    const trained = modelOfCheckpoint(model, await session.checkpoint(), 'trained');
    expect(answers.current).toEqual(await alone(trained));
    // And back again.
    expect(await answer(start)).toEqual(answers.start);
    // The next step samples from the trained model all the same.
    expect((await sampleAndScore(session, [5, 9, 17, 30])).error).toBeLessThan(5e-3);
  });
});
