/**
 * @file Supervised fine-tuning before reinforcement learning (R1's cold start, arXiv 2501.12948): a few updates on worked
 * answers. They come from a data set, such as a teacher's (src/eval/distillation/); with no reinforcement after it, that
 * is distillation. Or they are traces of the run's own task, of which a chosen share, p_cot, thinks in full: the dial of
 * Tsilivis et al., arXiv 2510.11495, for how often the policy reasons before it is rewarded for anything.
 */
import { rng } from '../../base/rng';
import type { TextTokenizer } from '../../formats/text/tokenizer';
import type { SequenceGroup } from '../../model/train/batch';
import type { PolicyLearner } from '../../model/train/batch-learner';
import { CROSS_ENTROPY } from '../../nn/train/policy-loss';
import type { Task } from '../../tasks/task';
import type { RunConfig } from '../config';
import { sample, type Mixture } from '../pretraining/corpus';
import { encodePrompt } from '../prompt';
import { describeSkipped, encodeExamples, exampleBatch, type SftExample } from './sft-examples';

/** Key of the traces' random stream. */
const TRACES = 3;

/** The answer styles of traces that don't think in full. */
const WITHOUT_CHAIN = { bare: 0.1, direct: 0.9 };

export interface SftOptions {
  /** The data set that the config names; without it, traces of the task are learned from. */
  examples?: readonly SftExample[];
  /** Called with a sentence about the part of the data set that cannot be used. */
  onNotice?: (message: string) => void;
  /** Called after each update. */
  onSftProgress?: (progress: SftProgress) => void;
}

/** Updates so far, and all that there will be. */
export interface SftProgress {
  update: number;
  updates: number;
}

export interface SftParts {
  learner: PolicyLearner;
  tokenizer: TextTokenizer;
  /** The task as this model is asked it. */
  task: Task;
  config: RunConfig;
}

/**
 * Makes `config.cold_start_steps` updates of cross-entropy on completions, in batches as large as a step's, then clears
 * the optimizer's moments, so that reinforcement learning starts with none.
 * @param learningRate of the first update; it falls to 0 over all of them
 * @throws RangeError when no worked answer fits the run, or traces can't be written for this model
 */
export async function runSft(parts: SftParts, learningRate: number, options: SftOptions = {}): Promise<void> {
  const { learner, config } = parts;
  const { cold_start_steps: steps } = config;
  if (steps === 0) return;
  const batchOf = options.examples ? examplesByStep(parts, options.examples, options) : tracesByStep(parts);
  const loss = await learner.supervised();
  for (let step = 1; step <= steps; step++) {
    const groups = batchOf(step);
    const tokens = groups.reduce((sum, { completions }) => sum + completions[0]!.length, 0);
    const batch = learner.load(groups, () => ({ advantage: 0, weight: 1 / tokens }));
    const recorder = learner.gpu.recorder();
    learner.accumulate(recorder, batch, CROSS_ENTROPY, { onPolicy: true, temperature: 1, loss });
    learner.update(recorder, step, {
      ...config,
      learning_rate: learningRate * (1 - (step - 1) / steps),
      weight_decay: 0,
    });
    recorder.submit();
    // One batch's buffers at a time, and a chance to notice a lost device.
    await learner.gpu.read(learner.optimizer.norm, 4);
    options.onSftProgress?.({ update: step, updates: steps });
  }
  const recorder = learner.gpu.recorder();
  recorder.clear(learner.optimizer.moments);
  recorder.submit();
}

function examplesByStep(
  { tokenizer, task, config }: SftParts,
  given: readonly SftExample[],
  { onNotice }: SftOptions,
): (step: number) => SequenceGroup[] {
  const { examples, skipped } = encodeExamples(given, tokenizer, task, config);
  if (examples.length < given.length) {
    onNotice?.(
      `The supervised start uses ${examples.length} of the data set’s ${given.length} examples. Skipped: ${describeSkipped(skipped)}.`,
    );
  }
  const size = config.num_prompts * config.num_generations;
  return (step) => exampleBatch(examples, config.seed, step, size);
}

function tracesByStep({ tokenizer, task: asked, config }: SftParts): (step: number) => SequenceGroup[] {
  if (asked.instruction !== undefined) {
    throw new RangeError(
      'A supervised start of this model needs a data set: worked examples are written in the small models’ notation.',
    );
  }
  const { cold_start_p_cot: p_cot, task, difficulty, max_completion_length, seed } = config;
  const size = config.num_prompts * config.num_generations;
  const entry = { task, weight: 1, difficulty: { from: difficulty, to: difficulty }, styles: WITHOUT_CHAIN, p_cot };
  const mixture: Mixture = { max_completion_length, tasks: [entry] };
  const end = tokenizer.eosId === null ? [] : [tokenizer.eosId];
  return (step) => {
    const random = rng(seed, TRACES, step);
    return Array.from({ length: size }, () => {
      const { prompt, completion } = sample(random, mixture);
      return {
        prompt: encodePrompt(tokenizer, prompt),
        completions: [[...tokenizer.encode(completion), ...end]],
      };
    });
  };
}
