/** @file The supervised start sets the embedded model's share of long chains to what p_cot says, and is reproducible. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { openTraining } from '../../../src/engine/open';
import type { Model } from '../../../src/formats/model';
import { openModel } from '../../../src/formats/open-model';
import type { Gpu } from '../../../src/gpu/gpu';
import type { SftProgress } from '../../../src/rl/sft/sft';
import { defaultRunConfig } from '../../../src/runs/config';
import { openTestGpu } from '../../support/gpu';

const embedded = new URL('../../../public/models/tinythink-1m', import.meta.url).pathname;
const config = {
  ...defaultRunConfig,
  task: 'parity',
  difficulty: 6,
  num_prompts: 4,
  num_generations: 4,
  max_completion_length: 40,
  eval_problems: 32,
  cold_start_steps: 12,
};

let gpu: Gpu;
let model: Model;
beforeAll(async () => {
  gpu = await openTestGpu();
  model = await openModel(await modelFiles(embedded));
});
afterAll(() => gpu.destroy());

const reported: SftProgress[] = [];
const shareOfChains = async (change: Partial<typeof config>) => {
  const onSftProgress = (progress: SftProgress) => void reported.push(progress);
  const session = await openTraining(gpu, model, { ...config, ...change }, { onSftProgress });
  const { metrics } = await session.evaluate(0);
  return { session, share: metrics['eval_style/full']! };
};

it('sets the share of long chains', async () => {
  const rare = await shareOfChains({ cold_start_p_cot: 0 });
  expect(reported).toEqual(Array.from({ length: 12 }, (_, i) => ({ update: i + 1, updates: 12 })));
  const common = await shareOfChains({ cold_start_p_cot: 1 });
  expect(rare.share).toBeLessThan(0.3);
  expect(common.share).toBeGreaterThan(0.6);
});

it('gives the same weights for the same seed, once, and other weights than without', async () => {
  const small = { ...config, cold_start_steps: 2 };
  const sessions = await Promise.all(
    [small, small, { ...small, cold_start_steps: 0 }].map((c) => openTraining(gpu, model, c)),
  );
  const [first, same, without] = await Promise.all(sessions.map((session) => session.checkpoint()));
  // By bytes: a deep comparison of ten million elements takes a minute.
  const equal = (bytes: Uint8Array) => Buffer.from(bytes).equals(first!);
  expect(equal(same!)).toBe(true);
  expect(equal(without!)).toBe(false);
  expect(equal(await sessions[0]!.checkpoint())).toBe(true);
});

it('says so when no example fits', async () => {
  const hard = { ...config, difficulty: 20, max_completion_length: 5, cold_start_p_cot: 1 };
  const session = await openTraining(gpu, model, hard);
  await expect(session.checkpoint()).rejects.toThrow('none fits 5 tokens');
});
