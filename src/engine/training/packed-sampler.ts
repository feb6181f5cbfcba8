/**
 * @file Samples completions from packed weights, for training of models too large for the one-dispatch sampler. What the
 * packed weights are copies of (f32 weights that learn, or a base with adapters merged in) is up to whoever makes it.
 */
import type { Model } from '../../formats/model';
import type { Gpu } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { InferenceModel } from '../../model/infer/inference-model';
import { inferencePlan, type InferencePlan } from '../../model/infer/inference-plan';
import type { PackedParameters } from '../../model/infer/packed-parameters';
import { RepackedWeights } from '../../model/infer/repacked-weights';
import { TextGenerator } from '../../model/infer/text-generator';
import type { Learner } from '../../model/train/learner';
import { Sampler, type Draw } from '../../nn/infer/sampler';
import type { CompletionSampler, Sample, SamplingSettings } from '../../rl/completion-sampler';

/** Tokens of a prompt that are computed at once. */
export const PREFILL_TOKENS = 256;

/** Sizes of a run that decide what its sampler takes. */
export interface SamplerSizes {
  num_prompts: number;
  num_generations: number;
  max_completion_length: number;
  /** In tokens. */
  longestPrompt: number;
}

/** Which weights are sampled from: those of the start of the run, or those of now. */
export type WhichWeights = 'start' | 'current';

export class PackedSampler implements CompletionSampler {
  /** What the packed weights are copies of just now; null when they are out of date. */
  private held: WhichWeights | null = null;

  /**
   * @param refresh records copying the wanted weights into the packed ones
   * @param longestPrompt in tokens
   */
  constructor(
    readonly generator: TextGenerator,
    private readonly gpu: Gpu,
    private readonly slots: number,
    private readonly longestPrompt: number,
    private readonly refresh: (recorder: Recorder, weights: WhichWeights) => void,
  ) {}

  weightsChanged(): void {
    this.held = null;
    this.generator.forget();
  }

  /** Makes the packed weights those that are wanted, unless they are already. */
  use(weights: WhichWeights): void {
    if (this.held === weights) return;
    const recorder = this.gpu.recorder();
    this.refresh(recorder, weights);
    recorder.submit();
    this.generator.forget();
    this.held = weights;
  }

  /**
   * Prompts of a step draw differently, the first as the seed says. With one sample a prompt, as in evaluations, different
   * prompts are sampled side by side.
   */
  async sample(
    prompts: readonly (readonly number[])[],
    samples: number,
    settings: SamplingSettings,
  ): Promise<Sample[][]> {
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    if (longest > this.longestPrompt) {
      throw new RangeError(`a prompt of ${longest} tokens; at most ${this.longestPrompt} are planned`);
    }
    if (samples > this.slots) throw new RangeError(`${samples} completions were asked for; ${this.slots} are planned`);
    this.use('current');
    if (samples === 1) {
      return (await this.generator.each(prompts, settings)).map((draws) => [this.sampleOf(draws)]);
    }
    const results: Sample[][] = [];
    for (const [i, prompt] of prompts.entries()) {
      const seed = (settings.seed ^ Math.imul(i, 0x9e3779b1)) >>> 0;
      const drawn = await this.generator.group(prompt, { ...settings, seed });
      results.push(drawn.slice(0, samples).map((draws) => this.sampleOf(draws)));
    }
    return results;
  }

  private sampleOf(draws: readonly Draw[]): Sample {
    const ids = draws.map(({ id }) => id);
    const truncated = !this.generator.stops.includes(ids.at(-1) ?? -1);
    return { ids, logprobs: draws.map(({ logprob }) => logprob), truncated };
  }
}

export interface PackedSamplerOptions {
  plan: InferencePlan;
  weights: PackedParameters;
  /** In tokens. */
  longestPrompt: number;
  /** Records copying the wanted weights into the packed ones. */
  refresh: (recorder: Recorder, weights: WhichWeights) => void;
}

/** Makes a sampler over packed weights that are there. */
export async function packedSampler(
  gpu: Gpu,
  model: Model,
  { plan, weights, longestPrompt, refresh }: PackedSamplerOptions,
): Promise<PackedSampler> {
  const inference = await InferenceModel.of(gpu, model.config, plan, weights);
  const validTokens = model.tokenizer?.vocabularySize;
  const generator = new TextGenerator(inference, validTokens === undefined ? {} : { validTokens });
  return new PackedSampler(generator, gpu, plan.slots, longestPrompt, refresh);
}

const contextOf = (model: Model, { longestPrompt, max_completion_length }: SamplerSizes): number =>
  Math.min(model.config.max_position_embeddings, longestPrompt + max_completion_length);

/** Packed f16 copies of f32 weights that learn. */
const copiesPlan = (model: Model, sizes: SamplerSizes): InferencePlan =>
  inferencePlan(model.config, () => 'F32', {
    quant: 'f16',
    slots: sizes.num_generations,
    context: contextOf(model, sizes),
    prefillTokens: PREFILL_TOKENS,
  });

/** Bytes of a sampler with an inference plan. */
export const samplingBytes = (model: Model, { bytes, slots }: InferencePlan): number =>
  bytes.cache + bytes.work + Sampler.bytes({ vocab: model.config.vocab_size, maxRows: slots });

/** Bytes of a sampler from packed copies of f32 weights. */
export function repackingBytes(model: Model, sizes: SamplerSizes): number {
  const plan = copiesPlan(model, sizes);
  return plan.bytes.weights + samplingBytes(model, plan);
}

/** @throws OutOfMemoryError */
export async function repackingSampler(
  gpu: Gpu,
  model: Model,
  learner: Learner,
  sizes: SamplerSizes,
): Promise<PackedSampler> {
  const plan = copiesPlan(model, sizes);
  const copies = await RepackedWeights.create(gpu, plan.weights);
  return packedSampler(gpu, model, {
    plan,
    weights: copies.weights,
    longestPrompt: sizes.longestPrompt,
    refresh: (recorder) => copies.record(recorder, learner.params),
  });
}
