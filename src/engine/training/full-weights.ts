/** @file Training in which all weights learn: f32 parameters, sampled in one dispatch or through packed copies. */
import { messageOf } from '../../base/errors';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { FloatTensor } from '../../formats/hf/safetensors';
import { readWeights } from '../../formats/model';
import type { Gpu, GpuTraits } from '../../gpu/gpu';
import { GroupSampler } from '../../model/decode/group-sampler';
import type { GroupSamplerPlan } from '../../model/decode/decode-layout';
import { decoderBytes } from '../../model/train/decoder-buffers';
import { Learner } from '../../model/train/learner';
import { parameterLayout } from '../../model/train/parameters';
import type { Checkpoint } from '../../rl/checkpoint';
import type { CompletionSampler, Sample, SamplingSettings } from '../../rl/completion-sampler';
import type { RunConfig } from '../../rl/config';
import { lossOptions } from '../../rl/grpo/grpo';
import type { LearnedParameters } from '../../rl/learned-parameters';
import type { MemoryNeeds } from '../../rl/plan';
import type { SamplerSizes } from './packed-sampler';
import type { TrainingParts, TrainingRequest } from './session';

/** High enough to move the shares of the answer styles in some tens of updates. */
const SFT_LEARNING_RATE = 5e-4;

/** The one-dispatch sampler of a run. */
const groupPlan = ({ num_prompts, num_generations, max_completion_length, longestPrompt }: SamplerSizes) => {
  const sequences = num_prompts * num_generations;
  return {
    maxRows: sequences,
    maxPromptTokens: Math.max(num_prompts * longestPrompt, Math.min(sequences, 128) * longestPrompt),
    maxPromptLength: longestPrompt,
    maxNewTokens: max_completion_length,
  } satisfies GroupSamplerPlan;
};

/**
 * Bytes of the one-dispatch sampler.
 * @throws RangeError when the model is too wide for it on this GPU
 */
export const groupSamplerBytes = (gpu: GpuTraits, model: DecoderConfig, sizes: SamplerSizes): number =>
  GroupSampler.bytes(gpu, model, parameterLayout(model), groupPlan(sizes));

/** @param sampling bytes of the sampler */
export function fullWeightsNeeds(
  gpu: GpuTraits,
  model: DecoderConfig,
  { beta }: Pick<RunConfig, 'beta'>,
  sampling: number,
): MemoryNeeds {
  const layout = parameterLayout(model);
  return {
    fixed: {
      // Parameters, gradients, two moments, and the reference model.
      'weights and optimizer': layout.count * 4 * (4 + (beta !== 0 ? 1 : 0)),
      sampling,
    },
    activations: ({ maxTokens, maxPositions, batchRows }) =>
      decoderBytes(model, { maxTokens, maxRows: maxTokens, maxPositions, training: true }, gpu) +
      slotBytes(maxTokens, model.vocab_size, batchRows),
  };
}

/** Rough size of the index buffers of all of a batch's micro-batches; small beside the rest. */
function slotBytes(maxTokens: number, vocab: number, batchRows: number): number {
  const slots = Math.ceil((1.5 * batchRows) / maxTokens) + 1;
  return slots * 4 * (13 * maxTokens + vocab);
}

/**
 * Loads the weights and makes what trains them.
 * @param oneDispatch sampled in one dispatch; otherwise from packed copies
 * @throws OutOfMemoryError; RangeError when the model is too wide for the one-dispatch sampler
 */
export async function createFullWeights(
  gpu: Gpu,
  oneDispatch: boolean,
  { model, config, plan, sizes, onLoading }: TrainingRequest,
): Promise<TrainingParts> {
  const learner = await Learner.create(gpu, model.config, plan.learner, lossOptions(config));
  const weights = await readWeights(model, (bytes, total) => onLoading?.({ bytes, total }));
  learner.setParameters(weights);
  const sampler = oneDispatch
    ? await oneDispatchSampler(gpu, learner, sizes)
    : await (await import('./packed-sampler')).repackingSampler(gpu, model, learner, sizes);
  return { learner, sampler, parameters: new FullParameters(learner), chat: null };
}

async function oneDispatchSampler(gpu: Gpu, learner: Learner, sizes: SamplerSizes): Promise<CompletionSampler> {
  const sampler = await GroupSampler.create(gpu, learner.decoder, learner.layout, groupPlan(sizes));
  return {
    sample: (prompts, samples: number, settings: SamplingSettings, recorder): Promise<Sample[][]> =>
      sampler.generate(learner.params, prompts, samples, settings, recorder ? { recorder } : {}),
    weightsChanged: () => sampler.parametersChanged(),
  };
}

class FullParameters implements LearnedParameters {
  readonly adapter = null;

  constructor(private readonly learner: Learner) {}

  values(): Promise<FloatTensor[]> {
    return this.learner.parameters();
  }

  async referenceValues(): Promise<FloatTensor[]> {
    return this.learner.reference ? this.learner.parameters(this.learner.reference) : [];
  }

  restore({ parameters, reference, moments }: Checkpoint): void {
    if (this.learner.reference && reference.length === 0) {
      throw new Error('The checkpoint holds no reference model, which a run with beta needs.');
    }
    const byName = (tensors: Checkpoint['parameters']) =>
      new Map(tensors.map(({ name, data }) => [name, { data: data as Float32Array<ArrayBuffer> }]));
    try {
      this.learner.restore({ parameters: byName(parameters), reference: byName(reference), moments });
    } catch (error) {
      throw new Error(`The checkpoint is not one of this model: ${messageOf(error)}.`, { cause: error });
    }
  }

  sftLearningRate(): number {
    return SFT_LEARNING_RATE;
  }

  startReinforcement(): void {
    const { learner } = this;
    if (!learner.reference) return;
    const recorder = learner.gpu.recorder();
    recorder.copy(learner.params.flat, learner.reference.flat);
    recorder.submit();
  }
}
