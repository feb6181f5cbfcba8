/** @file How fast is an update? Forward, backward and AdamW over a batch whose completions all have the same length. */
import { tokenizerOf, type Model } from '../../src/formats/model';
import { parameterCount } from '../../src/formats/hf/architecture';
import type { Gpu } from '../../src/gpu/gpu';
import type { RunConfig } from '../../src/rl/config';
import { openTraining } from '../../src/engine/open';
import { encodePrompt } from '../../src/rl/prompt';
import { getTask } from '../../src/tasks';
import { rng } from '../../src/base/rng';
import { clocked, spread } from '../statistics';

export interface TrainBench {
  gpu: string;
  sequences: number;
  completion_length: number;
  /** Tokens that pass through the model: each prompt once for its group, and the completions. */
  tokens: number;
  micro_batches: number;
  median_ms: number;
  min_ms: number;
  max_ms: number;
  tokens_per_second: number;
  /** 6 × parameters × tokens over the time: the usual count, attention left out. */
  teraflops: number;
}

export async function benchTrain(gpu: Gpu, config: RunConfig, model: Model, repeats: number): Promise<TrainBench> {
  const { learner } = (await openTraining(gpu, model, config)).parts;
  const task = getTask(config.task);
  const random = rng(config.seed);
  const { num_generations, num_prompts, max_completion_length: length } = config;
  const groups = Array.from({ length: num_prompts }, () => ({
    prompt: encodePrompt(tokenizerOf(model), task.generate(random, config.difficulty).prompt),
    completions: Array.from({ length: num_generations }, () =>
      Array.from({ length }, () => random.int(0, model.config.vocab_size - 1)),
    ),
  }));
  const sequences = num_prompts * num_generations;
  const weight = 1 / (sequences * length);
  let tokens = 0;
  let microBatches = 0;
  let step = 0;
  const times = await clocked(
    async () => {
      const batch = learner.load(groups, (i) => ({ advantage: i % 2 === 0 ? 1 : -1, weight }));
      tokens = batch.slots.reduce((sum, slot) => sum + slot.tokens, 0);
      microBatches = batch.slots.length;
      const recorder = gpu.recorder();
      learner.accumulate(recorder, batch, config, { onPolicy: true, temperature: 1 });
      learner.update(recorder, ++step, { ...config, learning_rate: 0 });
      const done = recorder.read(learner.optimizer.norm, 4);
      recorder.submit();
      return done;
    },
    3,
    repeats,
  );
  const times_ms = spread(times);
  return {
    gpu: gpu.description,
    sequences,
    completion_length: length,
    tokens,
    micro_batches: microBatches,
    ...times_ms,
    tokens_per_second: (1000 * tokens) / times_ms.median_ms,
    teraflops: (6 * parameterCount(model.config) * tokens) / (times_ms.median_ms * 1e9),
  };
}

export const formatTrain = (r: TrainBench): string =>
  `${r.gpu}: ${r.sequences} completions of ${r.completion_length} (${r.tokens} tokens, ${r.micro_batches} micro-batches) in ` +
  `${r.median_ms.toFixed(1)} ms (${r.min_ms.toFixed(1)} to ${r.max_ms.toFixed(1)}), ${r.tokens_per_second.toFixed(0)} tokens/s, ${r.teraflops.toFixed(2)} TFLOP/s`;
