/**
 * @file How fast does sampling go? All rows generate all of their tokens (no token ends a completion), so the figure is the
 * engine's and not the model's choice of lengths.
 */
import { tokenizerOf, type Model } from '../../src/formats/model';
import type { Gpu } from '../../src/gpu/gpu';
import type { RunConfig } from '../../src/rl/config';
import { openTraining } from '../../src/engine/open';
import { encodePrompt } from '../../src/rl/prompt';
import { getTask } from '../../src/tasks';
import { rng } from '../../src/base/rng';
import { clocked, spread } from '../statistics';

export interface DecodeBench {
  gpu: string;
  rows: number;
  new_tokens: number;
  /** Prefill and readback included, milliseconds by the clock. */
  median_ms: number;
  min_ms: number;
  max_ms: number;
  tokens_per_second: number;
  ms_per_token: number;
}

export async function benchDecode(gpu: Gpu, config: RunConfig, model: Model, repeats: number): Promise<DecodeBench> {
  const endless = { ...model, config: { ...model.config, eos_token_ids: [] } };
  const { sampler } = (await openTraining(gpu, endless, config)).parts;
  const task = getTask(config.task);
  const random = rng(config.seed);
  const prompts = Array.from({ length: config.num_prompts }, () =>
    encodePrompt(tokenizerOf(model), task.generate(random, config.difficulty).prompt),
  );
  const { max_completion_length: max_new_tokens, num_generations } = config;
  let stream = 0;
  const times = await clocked(
    () => {
      const settings = { temperature: 1, top_k: 0, top_p: 1, max_new_tokens, seed: config.seed, stream: stream++ };
      return sampler.sample(prompts, num_generations, settings);
    },
    3,
    repeats,
  );
  const rows = config.num_prompts * num_generations;
  const times_ms = spread(times);
  return {
    gpu: gpu.description,
    rows,
    new_tokens: max_new_tokens,
    ...times_ms,
    tokens_per_second: (1000 * rows * max_new_tokens) / times_ms.median_ms,
    ms_per_token: times_ms.median_ms / max_new_tokens,
  };
}

export const formatDecode = (r: DecodeBench): string =>
  `${r.gpu}: ${r.rows} rows × ${r.new_tokens} tokens in ${r.median_ms.toFixed(1)} ms (${r.min_ms.toFixed(1)} to ${r.max_ms.toFixed(1)}), ` +
  `${r.tokens_per_second.toFixed(0)} tokens/s, ${r.ms_per_token.toFixed(3)} ms a token`;
