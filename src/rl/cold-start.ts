/**
 * @file A short supervised start before reinforcement learning (R1's cold start, arXiv 2501.12948): a few updates on worked
 * traces of the run's own task, of which a chosen share, p_cot, thinks in full. It sets how often the policy reasons before
 * it is rewarded for anything: the dial of Tsilivis et al., arXiv 2510.11495.
 */
import type { ModelFolder } from '../formats/model-folder';
import type { Learner } from '../model/learner';
import { CROSS_ENTROPY } from '../nn/policy-loss';
import { rng } from '../tasks/rng';
import type { RunConfig } from './config';
import { sample, type Mixture } from './corpus';
import { encodePrompt } from './prompt';

/** Key of the traces' random stream. */
const TRACES = 3;
/** High enough to move the shares of the answer styles in some tens of updates, and falling to 0 over them. */
const LEARNING_RATE = 5e-4;

/** What the rest answers like, when it doesn't think in full. */
const WITHOUT_CHAIN = { bare: 0.1, direct: 0.9 };

/**
 * Runs `config.cold_start_steps` updates of cross-entropy on completions, batches as large as a step's, then clears the
 * optimizer's moments: reinforcement learning starts afresh from here.
 */
export async function coldStart(learner: Learner, { tokenizer }: ModelFolder, config: RunConfig): Promise<void> {
  const { cold_start_steps: steps, cold_start_p_cot: p_cot, task, difficulty } = config;
  const size = config.num_prompts * config.num_generations;
  const entry = { task, weight: 1, difficulty: { from: difficulty, to: difficulty }, styles: WITHOUT_CHAIN, p_cot };
  const mixture: Mixture = { max_completion_length: config.max_completion_length, tasks: [entry] };
  const end = tokenizer.eosId === null ? [] : [tokenizer.eosId];
  for (let step = 1; step <= steps; step++) {
    const random = rng(config.seed, TRACES, step);
    const groups = Array.from({ length: size }, () => {
      const { prompt, completion } = sample(random, mixture);
      return {
        prompt: encodePrompt(tokenizer, prompt),
        completions: [[...tokenizer.encode(completion), ...end]],
      };
    });
    const tokens = groups.reduce((sum, { completions }) => sum + completions[0]!.length, 0);
    const batch = learner.load(groups, () => ({ advantage: 0, weight: 1 / tokens }));
    const recorder = learner.gpu.recorder();
    learner.accumulate(recorder, batch, CROSS_ENTROPY, true, 1, await learner.supervised());
    learner.update(recorder, step, {
      ...config,
      learning_rate: LEARNING_RATE * (1 - (step - 1) / steps),
      weight_decay: 0,
    });
    recorder.submit();
    // One batch's buffers at a time, and a chance to notice a lost device.
    await learner.gpu.read(learner.optimizer.norm, 4);
  }
  const recorder = learner.gpu.recorder();
  recorder.clear(learner.optimizer.moments);
  if (learner.reference) recorder.copy(learner.params.flat, learner.reference.flat);
  recorder.submit();
}
