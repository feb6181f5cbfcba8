/** @file A run small enough for an emulated GPU: the golden Llama on short sums, rewarded so that advantages differ. */
import { openTraining, type TrainingOptions } from '../../../src/engine/open';
import { readWeights, withWeights, type Model } from '../../../src/formats/model';
import type { Gpu } from '../../../src/gpu/gpu';
import type { RunConfig } from '../../../src/rl/config';
import type { StepResult } from '../../../src/rl/step-result';
import { defaultRunConfig } from '../../../src/runs/config';
import { loadGolden } from '../../model/goldens';

/** All runs of the tests have these sizes, so that they share their compiled kernels. */
export const tinyConfig: RunConfig = {
  ...defaultRunConfig,
  model: 'llama',
  difficulty: 3,
  num_prompts: 2,
  num_generations: 4,
  max_completion_length: 8,
  learning_rate: 0.01,
  warmup_steps: 0,
  max_steps: 4,
  eval_steps: 0,
  eval_problems: 6,
  save_steps: 2,
  // A random model is never right, but some of its completions end sooner than others.
  reward_weights: [1, 0.2, 1],
  seed: 7,
};

export async function tinyModel(): Promise<Model> {
  const { model } = await loadGolden('llama');
  return model;
}

/** The same model with every weight changed. */
export async function otherModel(change: (value: number, name: string) => number): Promise<Model> {
  const model = await tinyModel();
  const weights = [...(await readWeights(model))].map(([name, { shape, data }]) => {
    return { name, shape, data: data.map((value) => change(value, name)) };
  });
  return withWeights(model, weights);
}

export type Session = Awaited<ReturnType<typeof openTraining>>;

export const tinySession = async (
  gpu: Gpu,
  change: Partial<RunConfig> = {},
  options: TrainingOptions = {},
): Promise<Session> => openTraining(gpu, await tinyModel(), { ...tinyConfig, ...change }, options);

/** What two runs have in common: all but the time they took. */
export function outcome({ metrics: { step_time, ...metrics }, groups }: StepResult) {
  if (!(step_time! >= 0)) throw new Error('a step has a duration');
  return { metrics, groups };
}
