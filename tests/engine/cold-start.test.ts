/** @file The cold start moves the embedded model's answer styles to the share that the dial says, and repeats itself. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { folderSource } from '../../src/cli/files';
import { loadModelFolder, type ModelFolder } from '../../src/formats/hf/model-folder';
import type { Gpu } from '../../src/gpu/gpu';
import type { ColdStartProgress } from '../../src/rl/cold-start';
import { GrpoSession } from '../../src/engine/grpo-session';
import { defaultRunConfig } from '../../src/runs/config';
import { openTestGpu } from '../support/gpu';

const model = new URL('../../public/models/tinythink-1m', import.meta.url).pathname;
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
let folder: ModelFolder;
beforeAll(async () => {
  gpu = await openTestGpu();
  folder = await loadModelFolder(folderSource(model));
});
afterAll(() => gpu.destroy());

const told: ColdStartProgress[] = [];
const shareOfChains = async (change: Partial<typeof config>) => {
  const onColdStart = (progress: ColdStartProgress) => void told.push(progress);
  const session = await GrpoSession.create(gpu, { ...config, ...change }, folder, { onColdStart });
  const { metrics } = await session.evaluate();
  return { session, share: metrics['eval_style/full']! };
};

it('sets the share of long chains', async () => {
  const rare = await shareOfChains({ cold_start_p_cot: 0 });
  expect(told).toEqual(Array.from({ length: 12 }, (_, i) => ({ update: i + 1, updates: 12 })));
  const common = await shareOfChains({ cold_start_p_cot: 1 });
  expect(rare.share).toBeLessThan(0.3);
  expect(common.share).toBeGreaterThan(0.6);
});

it('gives the same weights for the same seed, once, and other weights than without', async () => {
  const small = { ...config, cold_start_steps: 2 };
  const sessions = await Promise.all(
    [small, small, { ...small, cold_start_steps: 0 }].map((c) => GrpoSession.create(gpu, c, folder)),
  );
  const [first, same, without] = await Promise.all(sessions.map((session) => session.checkpoint()));
  // By bytes: a deep comparison of ten million elements takes a minute.
  const equal = (bytes: Uint8Array) => Buffer.from(bytes).equals(first!);
  expect(equal(same!)).toBe(true);
  expect(equal(without!)).toBe(false);
  expect(equal(await sessions[0]!.checkpoint())).toBe(true);
});

it('says so when no example fits', async () => {
  const session = await GrpoSession.create(
    gpu,
    { ...config, difficulty: 20, max_completion_length: 5, cold_start_p_cot: 1 },
    folder,
  );
  await expect(session.checkpoint()).rejects.toThrow('none fits 5 tokens');
});
