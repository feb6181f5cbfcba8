/**
 * @file The one place that decides how a model is computed, by its size and by what is asked of it: the one-dispatch
 * decoder or packed weights to chat with; all weights in f32 or adapters on packed weights to train.
 */
import { tokenizerOf, type Model } from '../formats/model';
import { OutOfMemoryError, type Gpu, type GpuTraits } from '../gpu/gpu';
import { Grpo, type GrpoOptions } from '../rl/grpo/grpo';
import type { RunConfig } from '../rl/config';
import { loraOf } from '../rl/lora-config';
import { planRun, type MemoryLimits, type RunPlan } from '../rl/plan';
import { maxPromptLength, readsLanguage, taskFor } from '../rl/prompt';
import type { OpenChatModel } from '../runs/chat-model';
import { withFiniteAnswers } from './chat/finite-answers';
import { TinyChatModel } from './chat/tiny-chat-model';
import type { LoadOptions, LoadProgress } from './load-options';
import { createFullWeights, fullWeightsNeeds, groupSamplerBytes } from './training/full-weights';
import type { SamplerSizes } from './training/packed-sampler';
import { doesNotFit, reserveMemory } from './training/reserve-memory';
import type { TrainingParts, TrainingSession, WhichWeights } from './training/session';

export interface OpenChatOptions extends Omit<LoadOptions, 'adapter'> {
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
}

/**
 * Opens a model to chat with. It takes over the device, and gives it back when it is closed.
 * @throws OutOfMemoryError with the number of bytes; ModelFolderError when the model has no tokenizer; AbortError
 */
export async function openChatModel(gpu: Gpu, model: Model, options: OpenChatOptions = {}): Promise<OpenChatModel> {
  if (!readsLanguage(tokenizerOf(model)) && fitsOneDispatch(gpu, model, CHAT_SIZES)) {
    return withFiniteAnswers(await TinyChatModel.load(gpu, model, options.signal), model);
  }
  // The code for packed weights is a chunk of its own: the page's first seconds don't wait for it.
  const { PackedChatModel } = await import('./chat/packed-chat-model');
  const { onProgress, signal, ...load } = options;
  return withFiniteAnswers(await PackedChatModel.load(gpu, model, load, onProgress, signal), model);
}

export interface TrainingOptions extends GrpoOptions {
  /** Called with the description of the device that was opened. */
  onDevice?: (description: string) => void;
  onLoading?: (progress: LoadProgress) => void;
  /** The most bytes that a micro-batch's intermediate values may take on larger models. */
  activationBytes?: number;
}

/** Micro-batches beyond this gain little once a group fits. */
const ACTIVATION_BYTES = 2e9;
/** The most that a run of a model of the tasks' own characters may take, so that it fits beside a browser on a laptop. */
const TINY_RUN_BYTES = 512e6;
/** One answer at a time. */
const CHAT_SIZES = { num_prompts: 1, num_generations: 1, max_completion_length: 160, longestPrompt: 96 };

/**
 * What a run needs of the GPU, computed before any of it is taken.
 * @throws OutOfMemoryError when a small model's run can't fit; RangeError for settings that can't be trained with
 */
export function planTraining(
  gpu: GpuTraits,
  model: Model,
  config: RunConfig,
  options: Pick<TrainingOptions, 'activationBytes'> = {},
): Promise<RunPlan> {
  return planOf(gpu, model, config, options).then(({ plan }) => plan);
}

async function planOf(
  gpu: GpuTraits,
  model: Model,
  config: RunConfig,
  { activationBytes = ACTIVATION_BYTES }: Pick<TrainingOptions, 'activationBytes'>,
) {
  const tokenizer = tokenizerOf(model);
  const longestPrompt = maxPromptLength(taskFor(config.task, tokenizer));
  const { num_prompts, num_generations, max_completion_length } = config;
  const sizes: SamplerSizes = { num_prompts, num_generations, max_completion_length, longestPrompt };
  const lora = loraOf(config);
  const oneDispatch = !lora && !readsLanguage(tokenizer) && fitsOneDispatch(gpu, model, sizes);
  const limits: MemoryLimits = oneDispatch
    ? { total: TINY_RUN_BYTES, activations: Infinity }
    : { total: Infinity, activations: activationBytes };
  const context = model.config.max_position_embeddings;
  const needs = await needsOf(gpu, model, config, sizes, oneDispatch);
  const plan = planRun(config, needs, limits, { longestPrompt, context: oneDispatch ? Infinity : context });
  return { plan, sizes, lora, oneDispatch };
}

async function needsOf(gpu: GpuTraits, model: Model, config: RunConfig, sizes: SamplerSizes, oneDispatch: boolean) {
  const lora = loraOf(config);
  if (lora) return (await import('./training/adapters')).adapterNeeds(gpu, model, config, lora, sizes);
  const sampling = oneDispatch
    ? groupSamplerBytes(gpu, model.config, sizes)
    : (await import('./training/packed-sampler')).repackingBytes(model, sizes);
  return fullWeightsNeeds(gpu, model.config, config, sampling);
}

/**
 * Loads a model for training. It takes over the device.
 * @throws OutOfMemoryError with the bytes that are needed; RangeError for settings that can't be trained with
 */
export async function openTraining(
  gpu: Gpu,
  model: Model,
  config: RunConfig,
  options: TrainingOptions = {},
): Promise<TrainingSession & { readonly grpo: Grpo; readonly parts: TrainingParts }> {
  const { plan, sizes, lora, oneDispatch } = await planOf(gpu, model, config, options);
  const { onLoading, onDevice, activationBytes: _, ...rest } = options;
  onDevice?.(gpu.description);
  const create = async (): Promise<TrainingParts> => {
    if (!oneDispatch) await reserveMemory(gpu, plan.bytes.total!);
    const request = { model, config, plan, sizes, onLoading };
    return lora
      ? (await import('./training/adapters')).createAdapters(gpu, lora, request)
      : createFullWeights(gpu, oneDispatch, request);
  };
  const parts = await create().catch((error: unknown) => {
    throw error instanceof OutOfMemoryError && !oneDispatch ? doesNotFit(model.name, plan.bytes, error) : error;
  });
  const grpo = new Grpo({ gpu, config, tokenizer: tokenizerOf(model), ...parts }, rest);
  const { PackedChatModel } = parts.chat ? await import('./chat/packed-chat-model') : { PackedChatModel: null };
  return {
    grpo,
    parts,
    step: (step, live) => grpo.step(step, live),
    evaluate: (step) => grpo.evaluate(step),
    evaluateBeforeSft: () => grpo.evaluateBeforeSft(),
    checkpoint: () => grpo.checkpoint(),
    restore: (bytes) => grpo.restore(bytes),
    chatModel: (weights: WhichWeights) => {
      const { chat } = parts;
      if (!chat || !PackedChatModel) return null;
      return new PackedChatModel({
        name: model.name,
        sampling: model.sampling,
        tokenizer: tokenizerOf(model),
        generator: chat.generator,
        prepare: () => chat.use(weights),
        close: () => {},
      });
    },
    lost: gpu.lost,
    destroy: () => gpu.destroy(),
  };
}

/** Whether the one-dispatch decoder covers a model on this GPU: a row's state must fit the memory of a workgroup. */
function fitsOneDispatch(gpu: GpuTraits, model: Model, sizes: SamplerSizes): boolean {
  try {
    groupSamplerBytes(gpu, model.config, sizes);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
