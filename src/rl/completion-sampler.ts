/** @file What GRPO and evaluation need from whatever samples completions. */
import type { Recorder } from '../gpu/recorder';
import type { Sample, SamplingSettings } from '../model/decode/group-sampler';

export type { Sample, SamplingSettings } from '../model/decode/group-sampler';

export interface CompletionSampler {
  /**
   * Samples completions of each prompt from the weights as they are now.
   * @param recorder measures the work where the caller profiles a step
   * @returns [prompt][sample]
   * @throws RangeError for a prompt or a number of samples beyond the plan
   */
  sample(
    prompts: readonly (readonly number[])[],
    samples: number,
    settings: SamplingSettings,
    recorder?: Recorder,
  ): Promise<Sample[][]>;
  /** Must be called after the weights have changed. */
  weightsChanged(): void;
}
