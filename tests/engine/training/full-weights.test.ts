/** @file GRPO on all weights of a model too wide for the one-dispatch sampler: it samples from packed copies of them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { openTraining, planTraining } from '../../../src/engine/open';
import { mapFiles } from '../../../src/formats/files/memory-files';
import { readWeights, tokenizerOf, type Model } from '../../../src/formats/model';
import { openModel } from '../../../src/formats/open-model';
import type { Gpu } from '../../../src/gpu/gpu';
import { decodeCheckpoint, exportCheckpoint, modelOfCheckpoint } from '../../../src/rl/checkpoint';
import type { RunConfig } from '../../../src/rl/config';
import type { Rollout } from '../../../src/rl/grpo/rollout';
import { relativeError } from '../../model/goldens';
import { openTestGpu } from '../../support/gpu';
import { sampleAndScore } from './log-probs';
import { outcome, tinyConfig } from './tiny';

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  const opened = await openModel(
    await modelFiles(new URL('../../goldens/checkpoints/smollm2', import.meta.url).pathname),
  );
  // A random model hardly ever draws its one ending; with more of them some completions end sooner than others.
  model = { ...opened, config: { ...opened.config, eos_token_ids: [2, 30, 60, 90, 120, 150, 180, 210] } };
});
afterAll(() => gpu.destroy());

const config: RunConfig = {
  ...tinyConfig,
  task: 'word-problems',
  num_generations: 4,
  max_completion_length: 10,
  eval_problems: 2,
  learning_rate: 0.003,
};
/** f16 copies of the weights, and a cache in f16. */
const F16 = 2e-2;

it('asks through the chat template, and samples from what it has learned', async () => {
  let rollout!: Rollout;
  const session = await openTraining(gpu, model, config, { onBatch: (_, __, batch) => (rollout = batch) });
  const tokenizer = tokenizerOf(model);
  const prompt = [5, 9, 17, 30];
  const before = await sampleAndScore(session, prompt);
  expect(before.error).toBeLessThan(F16);

  const one = await session.step(1, {});
  const asked = tokenizer.decode(rollout.prompts[0]!);
  expect(asked).toContain('<|im_start|>');
  expect(asked).toContain(one.groups[0]!.prompt);
  expect(one.metrics.frac_reward_zero_std).toBeLessThan(1);
  expect(Object.values(one.metrics).every(Number.isFinite)).toBe(true);

  // The very same draws: what the learner now scores is what the sampler reports, and it isn't what it was.
  const after = await sampleAndScore(session, prompt);
  expect(after.error).toBeLessThan(F16);
  const again = await sampleAndScore(session, prompt);
  expect(again.samples).toEqual(after.samples);
  const [old, now] = [before.samples[0]!, after.samples[0]!];
  // The first tokens are drawn from the same prompt.
  expect(now.ids[0] !== old.ids[0] || Math.abs(now.logprobs[0]! - old.logprobs[0]!) > 0.05).toBe(true);
});

it('knows the bytes that it takes before it takes them', async () => {
  const { bytes } = await planTraining(gpu, model, config);
  const before = gpu.allocated;
  const session = await openTraining(gpu, model, config);
  await session.step(1, {});
  expect(Math.abs(bytes.total! / (gpu.allocated - before) - 1)).toBeLessThan(0.1);
});

it('is reproducible, continues from a checkpoint, and ends in a model folder', async () => {
  const change = { ...config, beta: 0.05 };
  const first = await openTraining(gpu, model, change);
  await first.step(1, {});
  const saved = await first.checkpoint();
  const two = outcome(await first.step(2, {}));
  expect(two.metrics.kl).toBeGreaterThan(0);
  const other = await openTraining(gpu, model, change);
  await other.restore(saved);
  expect(outcome(await other.step(2, {}))).toEqual(two);
  expect((await other.evaluate(2)).samples).toHaveLength(2);

  const exported = await readWeights(await openModel(mapFiles('trained', exportCheckpoint(model, saved))));
  const start = await readWeights(model);
  for (const { name, data } of decodeCheckpoint(saved).parameters) {
    expect(exported.get(name)!.data).toEqual(data);
    expect(relativeError(data, start.get(name)!.data)).toBeGreaterThan(0);
  }
  // A run that starts from the checkpoint begins with its weights.
  const next = await openTraining(gpu, modelOfCheckpoint(model, saved, 'run:a@1'), config);
  expect(decodeCheckpoint(await next.checkpoint()).parameters).toEqual(decodeCheckpoint(saved).parameters);
});
