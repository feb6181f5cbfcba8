/**
 * @file Training in which low-rank adapters learn on a base of packed weights, which stay as they are. For sampling, the
 * adapters are merged into copies of the matrices that they change.
 */
import type { FloatTensor } from '../../formats/hf/safetensors';
import { peftTensors } from '../../formats/hf/peft';
import type { Model } from '../../formats/model';
import type { Gpu, GpuTraits } from '../../gpu/gpu';
import { inferencePlan, type InferencePlan } from '../../model/infer/inference-plan';
import { loadPackedParameters } from '../../model/infer/packed-parameters';
import { loraLayoutOf, modulesOf, type LoraConfig, type LoraTensors } from '../../model/lora/lora-layout';
import { LoraLearner } from '../../model/lora/lora-learner';
import { adaptedTensors, LoraMerge, mergeAdapter, mergedBytes } from '../../model/lora/lora-merge';
import { initialLora } from '../../model/lora/lora-parameters';
import type { Checkpoint } from '../../rl/checkpoint';
import type { RunConfig } from '../../rl/config';
import { lossOptions } from '../../rl/grpo/grpo';
import type { LearnedParameters } from '../../rl/learned-parameters';
import type { MemoryNeeds, RunPlan } from '../../rl/plan';
import { packedSampler, PREFILL_TOKENS, samplingBytes, type SamplerSizes } from './packed-sampler';
import type { TrainingParts, TrainingRequest } from './session';

function samplingPlan(model: Model, config: Pick<RunConfig, 'quant'>, sizes: SamplerSizes): InferencePlan {
  const typeOf = (name: string) => model.tensors.get(name)!.type;
  const { num_generations: slots, longestPrompt, max_completion_length } = sizes;
  return inferencePlan(model.config, typeOf, {
    quant: config.quant,
    slots,
    context: Math.min(model.config.max_position_embeddings, longestPrompt + max_completion_length),
    prefillTokens: PREFILL_TOKENS,
    ...(model.adapter && { adapted: adaptedTensors(model.adapter) }),
  });
}

export function adapterNeeds(
  gpu: GpuTraits,
  model: Model,
  config: Pick<RunConfig, 'quant'>,
  lora: LoraConfig,
  sizes: SamplerSizes,
): MemoryNeeds {
  const layout = loraLayoutOf(model.config, lora);
  const plan = samplingPlan(model, config, sizes);
  const learnerBytes = (learner: RunPlan['learner']) => LoraLearner.bytes(gpu, model.config, layout, learner);
  return {
    fixed: {
      weights: plan.bytes.weights,
      'merged copies': mergedBytes(plan.weights, layout),
      sampling: samplingBytes(model, plan),
      'adapters and optimizer': layout.count * 4 * 4,
    },
    activations: (learner) => learnerBytes(learner).activations!,
  };
}

/**
 * Streams the base onto the GPU and makes what trains adapters on it. An adapter that the model comes with is merged into
 * the base for good: the new ones are trained on top of it.
 * @throws OutOfMemoryError
 */
export async function createAdapters(
  gpu: Gpu,
  lora: LoraConfig,
  { model, config, plan, sizes, onLoading }: TrainingRequest,
): Promise<TrainingParts> {
  const layout = loraLayoutOf(model.config, lora);
  const sampling = samplingPlan(model, config, sizes);
  const report = (bytes: number, total: number) => onLoading?.({ bytes, total });
  const stored = await loadPackedParameters(gpu, model, sampling.weights, report);
  const base = model.adapter ? await mergeAdapter(gpu, model.config, stored, model.adapter) : stored;
  const scale = lora.lora_alpha / lora.r;
  const learner = await LoraLearner.create(gpu, {
    config: model.config,
    base,
    lora: { layout, scale },
    plan: plan.learner,
    loss: lossOptions(config),
  });
  learner.setAdapters(initialLora(layout, config.seed));
  const merge = await LoraMerge.create(gpu, base, layout, learner.parameters.flat);
  const sampler = await packedSampler(gpu, model, {
    plan: sampling,
    weights: merge.weights,
    longestPrompt: sizes.longestPrompt,
    refresh: (recorder, weights) => merge.record(recorder, weights === 'current' ? scale : 0),
  });
  const baseModel = model.baseName ?? model.name;
  return { learner, sampler, parameters: new AdapterParameters(learner, lora, baseModel), chat: sampler };
}

class AdapterParameters implements LearnedParameters {
  constructor(
    private readonly learner: LoraLearner,
    private readonly lora: LoraConfig,
    private readonly baseModel: string,
  ) {}

  get adapter() {
    return { lora: this.lora, base_model: this.baseModel };
  }

  async values(): Promise<FloatTensor[]> {
    return peftTensors(await this.learner.adapters(), this.lora.r);
  }

  /** The reference is the base without the adapters, which a checkpoint need not repeat. */
  referenceValues(): Promise<FloatTensor[]> {
    return Promise.resolve([]);
  }

  restore({ adapter, parameters }: Checkpoint): void {
    if (JSON.stringify(adapter?.lora) !== JSON.stringify(this.lora)) {
      const there = adapter ? JSON.stringify(adapter.lora) : 'none';
      throw new Error(`The checkpoint is of other adapters: ${there}, not ${JSON.stringify(this.lora)}.`);
    }
    const values = new Map(parameters.map(({ name, data }) => [name, data as Float32Array<ArrayBuffer>]));
    const empty = new Float32Array();
    const modules = [...modulesOf(this.learner.lora.layout)].map(({ part: { name } }): [string, LoraTensors] => {
      const [a, b] = peftTensors([[name, { a: empty, b: empty }]], this.lora.r);
      return [name, { a: values.get(a!.name) ?? empty, b: values.get(b!.name) ?? empty }];
    });
    this.learner.setAdapters(new Map(modules));
  }

  sftLearningRate({ learning_rate }: RunConfig): number {
    return learning_rate;
  }

  /** The KL term keeps pulling back to the base. */
  startReinforcement(): void {}
}
