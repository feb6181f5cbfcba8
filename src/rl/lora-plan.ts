/** @file Sizes of a run whose adapters learn on a model of any size, and the bytes they come to, before any is taken. */
import { formatMegabytes } from '../base/bytes';
import type { DecoderConfig } from '../formats/hf/hf-config';
import type { OpenedModel } from '../formats/files/model-files';
import { OutOfMemoryError, type Gpu, type GpuTraits, type Tensor } from '../gpu/gpu';
import type { LearnerPlan } from '../model/train/batch-learner';
import { LoraLearner } from '../model/lora/lora-learner';
import type { LoraLayout } from '../model/lora/lora-layout';
import { loraLayoutOf, LoraPolicy, type LoraConfig } from '../model/lora/lora-policy';
import type { RunConfig } from './config';
import { MAX_CHAT_PROMPT_LENGTH } from './prompt';

/** What a micro-batch's values may take: more tokens at once gain little once a group fits. */
const ACTIVATION_BYTES = 2e9;
const STEP = 64;

type Sizes = Pick<RunConfig, 'num_prompts' | 'num_generations' | 'max_completion_length' | 'beta'>;

/**
 * The largest micro-batch of whole groups that fits, and at least one sequence with its prompt.
 * @param budget bytes for a micro-batch's values
 */
export function planLora(
  gpu: GpuTraits,
  model: DecoderConfig,
  layout: LoraLayout,
  config: Sizes,
  budget = ACTIVATION_BYTES,
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
  const fitting = Math.floor(budget / each / STEP) * STEP;
  return plan(Math.max(least, Math.min(all, fitting)));
}

export interface LoraRunPlan {
  learner: LearnerPlan;
  /** Bytes by what they are for, and in `total`. */
  bytes: Record<string, number>;
}

type Model = Pick<OpenedModel, 'name' | 'config' | 'tensors'>;

/** @param budget bytes for a micro-batch's values */
export function planLoraRun(
  gpu: GpuTraits,
  model: Model,
  config: Sizes & Pick<RunConfig, 'quant'>,
  lora: LoraConfig,
  budget?: number,
): LoraRunPlan {
  const learner = planLora(gpu, model.config, loraLayoutOf(model.config, lora), config, budget);
  const bytes = LoraPolicy.bytes(gpu, model, { lora, learner, quant: config.quant, slots: config.num_generations });
  return { learner, bytes: { ...bytes, total: Object.values(bytes).reduce((a, b) => a + b, 0) } };
}

/** The message for a run that this GPU has no room for. */
export function doesNotFit({ name }: Pick<Model, 'name'>, bytes: LoraRunPlan['bytes'], cause: Error): OutOfMemoryError {
  const { total = 0, ...parts } = bytes;
  const largest = Object.entries(parts)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([what, count]) => `${what} ${formatMegabytes(count)}`);
  return new OutOfMemoryError(
    `Training adapters of ${name} needs ${formatMegabytes(total)} of GPU memory (${largest.join(', ')}, …), and this GPU does not give it. ` +
      `Choose fewer bits for the weights, a smaller group, shorter completions or a smaller model. (${cause.message})`,
    { cause },
  );
}

/** At most, in one buffer. */
const PIECE = 2 ** 30;

/**
 * Asks the GPU for so much memory and gives it back: better refused now than after a gigabyte of weights has been read.
 * @throws OutOfMemoryError
 */
export async function askForRoom(gpu: Gpu, bytes: number): Promise<void> {
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const most = Math.min(PIECE, maxBufferSize, maxStorageBufferBindingSize);
  const pieces: Tensor[] = [];
  try {
    await gpu.allocating(() => {
      for (let rest = bytes; rest > 0; rest -= most) pieces.push(gpu.alloc('room', Math.min(rest, most)));
    });
  } finally {
    gpu.free(...pieces);
  }
}
