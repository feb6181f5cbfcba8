/** @file The bytes that a run is planned with are those that it takes; one that can't fit is refused before it takes any. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '../../../src/formats/model';
import { OutOfMemoryError, type Gpu } from '../../../src/gpu/gpu';
import { modelFiles } from '../../../src/cli/model-files';
import { openTraining, planTraining } from '../../../src/engine/open';
import { fullWeightsNeeds, groupSamplerBytes } from '../../../src/engine/training/full-weights';
import { openModel } from '../../../src/formats/open-model';
import { planRun } from '../../../src/rl/plan';
import { MAX_PROMPT_LENGTH } from '../../../src/rl/prompt';
import { tasks } from '../../../src/tasks';
import { rng } from '../../../src/base/rng';
import { encode } from '../../../src/tasks/vocabulary';
import { openTestGpu } from '../../support/gpu';
import { tinyConfig, tinyModel, tinySession } from './tiny';

let gpu: Gpu;
let embedded: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  embedded = await openModel(
    await modelFiles(new URL('../../../public/models/tinythink-1m', import.meta.url).pathname),
  );
});
afterAll(() => gpu.destroy());

const small = { ...tinyConfig, num_prompts: 4, num_generations: 8, max_completion_length: 48 };

describe('the plan of a run', () => {
  it.each([0, 0.04])('says what a session takes, from its making to after a step, with beta %f', async (beta) => {
    const { bytes } = await planTraining(gpu, await tinyModel(), { ...tinyConfig, beta });
    const before = gpu.allocated;
    /** Planned bytes over those taken. */
    const ratio = () => bytes.total! / (gpu.allocated - before);
    const session = await tinySession(gpu, { beta });
    expect(Math.abs(ratio() - 1)).toBeLessThan(0.05);
    await session.step(1, {});
    expect(Math.abs(ratio() - 1)).toBeLessThan(0.05);
  });

  it('says it for the embedded model too', async () => {
    const own = await openTestGpu();
    const { bytes } = await planTraining(own, embedded, small);
    const session = await openTraining(own, embedded, small);
    expect(Math.abs(bytes.total! / own.allocated - 1)).toBeLessThan(0.05);
    session.destroy();
  });

  it('keeps within its budget by smaller micro-batches, as long as one sequence fits', () => {
    const large = { ...tinyConfig, num_prompts: 16, num_generations: 16, max_completion_length: 112 };
    const sizes = { ...large, longestPrompt: MAX_PROMPT_LENGTH };
    const needs = fullWeightsNeeds(gpu, embedded.config, large, groupSamplerBytes(gpu, embedded.config, sizes));
    const within = (total: number) =>
      planRun(large, needs, { total, activations: Infinity }, { longestPrompt: MAX_PROMPT_LENGTH, context: Infinity });
    const { bytes, learner } = within(512e6);
    expect(bytes.total).toBeLessThanOrEqual(512e6);
    const tight = within(200 * 2 ** 20);
    expect(tight.bytes.total).toBeLessThanOrEqual(200 * 2 ** 20);
    expect(tight.learner.maxTokens).toBeLessThan(learner.maxTokens);
    expect(tight.learner.maxTokens).toBeGreaterThanOrEqual(learner.maxPositions);
  });

  it.each(tasks)('has room for the longest prompt of $name', (task) => {
    const lengths = Array.from(
      { length: 2000 },
      (_, i) => encode(`<bos>${task.generate(rng(i), task.difficulty.max).prompt}`).length,
    );
    expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_PROMPT_LENGTH);
  });

  it('refuses a batch that does not fit, with what it needs, before anything is taken', async () => {
    const before = gpu.allocated;
    const huge = { num_prompts: 256, num_generations: 64, max_completion_length: 112 };
    const refused = await tinySession(gpu, huge).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OutOfMemoryError);
    const needed = Number(/needs (\d+) MB of GPU memory, more than the 512 MB/.exec((refused as Error).message)![1]);
    // Keys and values of 16,384 completions of 112 tokens in two layers, 64 values each, are most of it.
    expect(needed).toBeGreaterThan((16384 * 112 * 2 * 64 * 4) / 2 ** 20);
    expect(gpu.allocated).toBe(before);
  });
});
