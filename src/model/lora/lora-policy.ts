/**
 * @file A model of any size whose adapters learn, and that samples with them: one base of packed weights, adapters beside
 * it for the learner, and copies of the adapted matrices with their adapters merged in for sampling.
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { OpenedModel } from '../../formats/files/model-files';
import type { Gpu, GpuTraits } from '../../gpu/gpu';
import type { PolicyLossOptions } from '../../nn/train/policy-loss';
import { Sampler, type Draw } from '../../nn/infer/sampler';
import type { LearnerPlan } from '../train/batch-learner';
import type { Sample, SamplingSettings } from '../decode/group-sampler';
import { InferenceModel } from '../infer/inference-model';
import { inferencePlan, type InferencePlan } from '../infer/inference-plan';
import { LoraLearner } from './lora-learner';
import { loraLayout, type LoraLayout, type LoraModule } from './lora-layout';
import { LoraMerge, mergedBytes } from './lora-merge';
import { initialLora } from './lora-parameters';
import { loadPackedParameters, type LoadProgress } from '../infer/packed-parameters';
import { TextGenerator } from '../infer/text-generator';
import type { Quantization } from '../infer/weight-plan';

/** PEFT's names. */
export interface LoraConfig {
  r: number;
  lora_alpha: number;
  target_modules: readonly LoraModule[];
}

export interface LoraPolicyOptions {
  lora: LoraConfig;
  /** What weights stored as floats become. */
  quant: Quantization;
  learner: LearnerPlan;
  loss: PolicyLossOptions;
  /** Completions that are sampled side by side. */
  slots: number;
  /** Of the first adapters. */
  seed: number;
  /** Tokens from here on are never drawn. */
  validTokens?: number;
}

/** Tokens of a prompt that are computed at once. */
const PREFILL_TOKENS = 256;

/** Where the adapters of all modules of the given names lie. */
export const loraLayoutOf = (config: DecoderConfig, { r, target_modules }: LoraConfig): LoraLayout =>
  loraLayout(config, (name) => (target_modules.some((module) => name.endsWith(`.${module}`)) ? r : 0));

type Sizes = Pick<LoraPolicyOptions, 'lora' | 'quant' | 'learner' | 'slots'>;

function samplingPlan(model: Pick<OpenedModel, 'config' | 'tensors'>, { quant, slots, learner }: Sizes): InferencePlan {
  const typeOf = (name: string) => model.tensors.get(name)!.type;
  const context = learner.maxPositions;
  return inferencePlan(model.config, typeOf, { quant, slots, context, prefillTokens: PREFILL_TOKENS });
}

export class LoraPolicy {
  private merged = false;

  private constructor(
    readonly gpu: Gpu,
    readonly learner: LoraLearner,
    private readonly merge: LoraMerge,
    private readonly generator: TextGenerator,
    private readonly slots: number,
  ) {}

  /** @throws OutOfMemoryError */
  static async create(
    gpu: Gpu,
    model: Pick<OpenedModel, 'config' | 'tensors' | 'bytes'>,
    options: LoraPolicyOptions,
    onProgress?: LoadProgress,
  ): Promise<LoraPolicy> {
    const { config } = model;
    const { lora, slots } = options;
    const layout = loraLayoutOf(config, lora);
    const plan = samplingPlan(model, options);
    const base = await loadPackedParameters(gpu, model, plan.weights, onProgress);
    const scale = lora.lora_alpha / lora.r;
    const learner = await LoraLearner.create(gpu, config, base, { layout, scale }, options.learner, options.loss);
    learner.setAdapters(initialLora(layout, options.seed));
    const merge = await LoraMerge.create(gpu, base, layout, learner.parameters.flat);
    const sampled = await InferenceModel.of(gpu, config, plan, merge.weights);
    const { validTokens } = options;
    const generator = new TextGenerator(sampled, validTokens === undefined ? {} : { validTokens });
    return new LoraPolicy(gpu, learner, merge, generator, slots);
  }

  /** Bytes of all that `create` takes, by what they are for. */
  static bytes(gpu: GpuTraits, model: Pick<OpenedModel, 'config' | 'tensors'>, options: Sizes): Record<string, number> {
    const layout = loraLayoutOf(model.config, options.lora);
    const { bytes, weights } = samplingPlan(model, options);
    const sampler = { vocab: model.config.vocab_size, maxRows: options.slots };
    return {
      weights: bytes.weights,
      'merged copies': mergedBytes(weights, layout),
      sampling: bytes.cache + bytes.work + Sampler.bytes(sampler),
      ...LoraLearner.bytes(gpu, model.config, layout, options.learner),
    };
  }

  /** Must be called after the adapters have changed. */
  adaptersChanged(): void {
    this.merged = false;
    this.generator.forget();
  }

  /**
   * Completions of a prompt. What a completion draws depends on the seed, the stream and its place alone.
   * @param samples at most as many as were planned
   */
  async sample(prompt: readonly number[], samples: number, settings: SamplingSettings): Promise<Sample[]> {
    if (samples > this.slots) throw new RangeError(`${samples} completions were asked for; ${this.slots} are planned`);
    this.mergeOnce();
    const drawn = await this.generator.group(prompt, settings);
    return drawn.slice(0, samples).map((draws) => this.sampleOf(draws));
  }

  /** One completion of each prompt. Prompt i draws from stream i, however many slots were planned. */
  async sampleEach(prompts: readonly (readonly number[])[], settings: SamplingSettings): Promise<Sample[]> {
    this.mergeOnce();
    return (await this.generator.each(prompts, settings)).map((draws) => this.sampleOf(draws));
  }

  private mergeOnce(): void {
    if (this.merged) return;
    const recorder = this.gpu.recorder();
    this.merge.record(recorder, this.learner.lora.scale);
    recorder.submit();
    this.merged = true;
  }

  private sampleOf(draws: readonly Draw[]): Sample {
    const ids = draws.map(({ id }) => id);
    const truncated = !this.generator.stops.includes(ids.at(-1) ?? -1);
    return { ids, logprobs: draws.map(({ logprob }) => logprob), truncated };
  }
}
