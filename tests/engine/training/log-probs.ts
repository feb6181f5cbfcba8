/** @file Compares what a session's sampler says of its samples with what its learner computes for them. */
import { expect } from 'vitest';
import type { SamplingSettings } from '../../../src/rl/completion-sampler';
import { relativeError } from '../../model/goldens';
import type { Session } from './tiny';

const TEMPERATURE = 0.8;

/** Samples of one prompt with their log-probabilities as the sampler reports them and as the learner computes them. */
export async function sampleAndScore(
  { parts: { learner, sampler } }: Session,
  prompt: readonly number[],
  settings: Partial<SamplingSettings> = {},
) {
  const [samples] = await sampler.sample([prompt], 4, {
    ...{ temperature: TEMPERATURE, top_k: 0, top_p: 1, max_new_tokens: 10, seed: 3, stream: 1 },
    ...settings,
  });
  const batch = learner.load([{ prompt, completions: samples!.map(({ ids }) => ids) }], (i) => ({
    advantage: i - 1.5,
    weight: 0.02,
  }));
  const recorder = learner.gpu.recorder();
  learner.scoreAs(recorder, batch, 'policy', learner.rows.dLogp, TEMPERATURE);
  const read = recorder.read(learner.rows.dLogp, 4 * batch.batch.rows);
  recorder.submit();
  const scored = [...new Float32Array(await read)];
  const sampled = samples!.flatMap(({ logprobs }) => logprobs);
  expect(new Set(samples!.map(({ ids }) => ids.join())).size).toBeGreaterThan(1);
  return { samples: samples!, sampled, scored, error: relativeError(sampled, scored) };
}
