/** @file Sizes of a run whose adapters learn on a model of any size. */
import type { DecoderConfig } from '../formats/hf-config';
import type { GpuTraits } from '../gpu/gpu';
import type { LearnerPlan } from '../model/batch-learner';
import { LoraLearner } from '../model/lora-learner';
import type { LoraLayout } from '../model/lora-layout';
import type { RunConfig } from './config';
import { MAX_CHAT_PROMPT_LENGTH } from './prompt';

/** What a micro-batch's values may take: more tokens at once gain little once a group fits. */
const ACTIVATION_BYTES = 2e9;
const STEP = 64;

/** The largest micro-batch of whole groups that fits, and at least one sequence with its prompt. */
export function planLora(
  gpu: GpuTraits,
  model: DecoderConfig,
  layout: LoraLayout,
  config: Pick<RunConfig, 'num_prompts' | 'num_generations' | 'max_completion_length' | 'beta'>,
): LearnerPlan {
  const { num_prompts, num_generations, max_completion_length } = config;
  const batchRows = num_prompts * num_generations * max_completion_length;
  const maxPositions = Math.min(model.max_position_embeddings, MAX_CHAT_PROMPT_LENGTH + max_completion_length);
  const plan = (maxTokens: number): LearnerPlan => ({
    maxTokens,
    maxPositions,
    batchRows,
    batchSequences: num_prompts * num_generations,
    reference: config.beta !== 0,
  });
  const least = Math.ceil(maxPositions / STEP) * STEP;
  const all = Math.ceil((batchRows + num_prompts * MAX_CHAT_PROMPT_LENGTH) / STEP) * STEP;
  // Bytes grow with the tokens but for what all micro-batches share.
  const bytes = (tokens: number) => LoraLearner.bytes(gpu, model, layout, plan(tokens)).activations!;
  const each = (bytes(2 * least) - bytes(least)) / least;
  const fitting = Math.floor(ACTIVATION_BYTES / each / STEP) * STEP;
  return plan(Math.max(least, Math.min(all, fitting)));
}
