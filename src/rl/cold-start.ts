/**
 * @file A short supervised start before reinforcement learning (R1's cold start, arXiv 2501.12948): a few updates on worked
 * answers. Either these are a data set's, such as a teacher's (src/eval/distillation.ts); with no steps of reinforcement
 * after it, that is distillation. Or they are traces of the run's own task, of which a chosen share, p_cot, thinks in full.
 * It sets how often the policy reasons before it is rewarded for anything: the dial of Tsilivis et al., arXiv 2510.11495.
 */
import type { TextTokenizer } from '../formats/text/tokenizer';
import type { SequenceGroup } from '../model/train/batch';
import type { BatchLearner } from '../model/train/batch-learner';
import { CROSS_ENTROPY } from '../nn/train/policy-loss';
import { rng } from '../base/rng';
import type { RunConfig } from './config';
import { sample, type Mixture } from './corpus';
import { describeLeftOut, encodeExamples, exampleBatch, type SftExample } from './lessons';
import { encodePrompt, taskOf } from './prompt';

/** Key of the traces' random stream. */
const TRACES = 3;
/** For all weights of a small model: high enough to move the shares of the answer styles in some tens of updates. */
const LEARNING_RATE = 5e-4;

/** What the rest answers like, when it doesn't think in full. */
const WITHOUT_CHAIN = { bare: 0.1, direct: 0.9 };

export interface ColdStartOptions {
  /** The data set that the config names; without it, traces of the task. */
  lessons?: readonly SftExample[];
  /** At the first update, falling to 0 over all of them. */
  learningRate?: number;
  /** Told what of the data set was left out. */
  onNotice?: (message: string) => void;
  /** Told of each update that has been made. */
  onColdStart?: (progress: ColdStartProgress) => void;
}

/** Updates made, and all that there will be. */
export interface ColdStartProgress {
  update: number;
  updates: number;
}

/**
 * Runs `config.cold_start_steps` updates of cross-entropy on completions, batches as large as a step's, then clears the
 * optimizer's moments: reinforcement learning starts afresh from here.
 * @throws RangeError when no worked answer fits the run
 */
export async function coldStart<M, G>(
  learner: BatchLearner<M, G>,
  tokenizer: TextTokenizer,
  config: RunConfig,
  options: ColdStartOptions = {},
): Promise<void> {
  const { cold_start_steps: steps } = config;
  const { learningRate = LEARNING_RATE } = options;
  if (steps === 0) return;
  const batchOf = options.lessons ? lessonsBy(tokenizer, config, options) : tracesBy(tokenizer, config);
  for (let step = 1; step <= steps; step++) {
    const groups = batchOf(step);
    const tokens = groups.reduce((sum, { completions }) => sum + completions[0]!.length, 0);
    const batch = learner.load(groups, () => ({ advantage: 0, weight: 1 / tokens }));
    const recorder = learner.gpu.recorder();
    learner.accumulate(recorder, batch, CROSS_ENTROPY, true, 1, await learner.supervised());
    learner.update(recorder, step, {
      ...config,
      learning_rate: learningRate * (1 - (step - 1) / steps),
      weight_decay: 0,
    });
    recorder.submit();
    // One batch's buffers at a time, and a chance to notice a lost device.
    await learner.gpu.read(learner.optimizer.norm, 4);
    options.onColdStart?.({ update: step, updates: steps });
  }
  const recorder = learner.gpu.recorder();
  recorder.clear(learner.optimizer.moments);
  recorder.submit();
}

/** The batch of each update, of a data set. */
function lessonsBy(
  tokenizer: TextTokenizer,
  config: RunConfig,
  { lessons: given = [], onNotice }: ColdStartOptions,
): (step: number) => SequenceGroup[] {
  const { lessons, leftOut } = encodeExamples(given, tokenizer, taskOf(config, tokenizer), config);
  if (lessons.length < given.length) {
    onNotice?.(
      `The cold start learns from ${lessons.length} of the data set’s ${given.length} lines. Left out: ${describeLeftOut(leftOut)}.`,
    );
  }
  const size = config.num_prompts * config.num_generations;
  return (step) => exampleBatch(lessons, config.seed, step, size);
}

/** The batch of each update, of traces. */
function tracesBy(tokenizer: TextTokenizer, config: RunConfig): (step: number) => SequenceGroup[] {
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
