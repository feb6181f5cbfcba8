/** @file GRPO in which all weights of a small model learn: one buffer of f32 parameters, sampled by a kernel of its own. */
import { messageOf } from '../base/errors';
import type { ModelFolder } from '../formats/hf/model-folder';
import { readSafetensors, toFloat32, writeSafetensors } from '../formats/hf/safetensors';
import type { Gpu, Tensor } from '../gpu/gpu';
import type { Recorder } from '../gpu/recorder';
import { GroupSampler, type SamplingSettings } from '../model/decode/group-sampler';
import { Learner } from '../model/train/learner';
import { coldStart } from '../rl/cold-start';
import type { RunConfig } from '../rl/config';
import { Grpo, lossOptions, type GrpoOptions } from '../rl/grpo';
import { planRun, type RunPlan } from '../rl/plan';

export type { GrpoOptions as GrpoSessionOptions, Rollout } from '../rl/grpo';

/** Names in a checkpoint: the optimizer's state, and the prefix of the reference model's tensors. */
const MOMENTS = 'adam.moments';
const REFERENCE = 'reference.';

export class GrpoSession extends Grpo<Tensor, Tensor> {
  private prepared: Promise<void> | null = null;

  private constructor(
    gpu: Gpu,
    config: RunConfig,
    readonly plan: RunPlan,
    private readonly folder: ModelFolder,
    readonly learner: Learner,
    readonly generator: GroupSampler,
    options: GrpoOptions,
  ) {
    super(gpu, config, folder.tokenizer, learner, options);
  }

  /** @throws OutOfMemoryError or RangeError when the run doesn't fit the GPU, with the numbers */
  static async create(
    gpu: Gpu,
    config: RunConfig,
    folder: ModelFolder,
    options: GrpoOptions = {},
  ): Promise<GrpoSession> {
    const plan = planRun(gpu, folder.config, config);
    const learner = await Learner.create(gpu, folder.config, plan.learner, lossOptions(config));
    learner.setParameters(folder.tensors);
    const generator = await GroupSampler.create(gpu, learner.decoder, learner.layout, plan.generator);
    return new GrpoSession(gpu, config, plan, folder, learner, generator, options);
  }

  async checkpoint(): Promise<Uint8Array> {
    await this.prepare();
    const { learner } = this;
    const moments = new Float32Array(await learner.gpu.read(learner.optimizer.moments, learner.layout.count * 8));
    const tensors = [...(await learner.parameters()), { name: MOMENTS, shape: [moments.length], data: moments }];
    if (learner.reference) {
      for (const { name, ...tensor } of await learner.parameters(learner.reference)) {
        tensors.push({ name: REFERENCE + name, ...tensor });
      }
    }
    return writeSafetensors(tensors, 'F32', { updates: String(this.updates), tokens: String(this.tokens) });
  }

  /** @throws Error when the file is damaged or from another run; nothing has changed then */
  async restore(bytes: Uint8Array): Promise<void> {
    const { tensors, metadata } = readSafetensors(bytes);
    const parameters = new Map([...tensors].map(([name, tensor]) => [name, { data: toFloat32(tensor) }]));
    const moments = parameters.get(MOMENTS)?.data;
    const updates = Number(metadata.updates);
    const tokens = Number(metadata.tokens);
    if (!moments || !Number.isInteger(updates) || !Number.isInteger(tokens)) {
      throw new Error('The file is not a checkpoint of a GRPO run.');
    }
    const frozen = [...parameters].filter(([name]) => name.startsWith(REFERENCE));
    const reference = new Map(frozen.map(([name, tensor]) => [name.slice(REFERENCE.length), tensor]));
    if (this.learner.reference && reference.size === 0) {
      throw new Error('The checkpoint holds no reference model, which a run with beta needs.');
    }
    try {
      this.learner.restore({ parameters, moments, reference });
    } catch (error) {
      const reason = messageOf(error);
      throw new Error(`The checkpoint is not one of this model: ${reason}.`, { cause: error });
    }
    this.generator.parametersChanged();
    this.prepared = Promise.resolve();
    this.updates = updates;
    this.tokens = tokens;
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  async exportTensors() {
    await this.prepare();
    return this.learner.parameters();
  }

  /** The cold start, once, unless a checkpoint has been restored instead. */
  protected prepare(): Promise<void> {
    this.prepared ??= this.startCold();
    return this.prepared;
  }

  private async startCold(): Promise<void> {
    const { learner } = this;
    await coldStart(learner, this.folder.tokenizer, this.config, this.options);
    this.generator.parametersChanged();
    if (!learner.reference) return;
    // What the KL pulls back to is the model that reinforcement begins with.
    const recorder = this.gpu.recorder();
    recorder.copy(learner.params.flat, learner.reference.flat);
    recorder.submit();
  }

  protected generate(prompts: number[][], samples: number, settings: SamplingSettings, recorder?: Recorder) {
    const options = recorder ? { recorder } : {};
    return this.generator.generate(this.learner.params, prompts, samples, settings, options);
  }

  protected policyChanged(): void {
    this.generator.parametersChanged();
  }
}
