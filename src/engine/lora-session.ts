/**
 * @file GRPO in which low-rank adapters of a model of any size learn, its own weights staying packed as they are. Its
 * checkpoints hold the adapters and their moments alone; what comes out is a PEFT folder.
 */
import type { OpenedModel } from '../formats/files/model-files';
import { peftTensors } from '../formats/hf/peft';
import { readSafetensors, toFloat32, writeSafetensors } from '../formats/hf/safetensors';
import { OutOfMemoryError, type Gpu } from '../gpu/gpu';
import type { Sample, SamplingSettings } from '../model/decode/group-sampler';
import { modulesOf, type LoraTensors } from '../model/lora/lora-layout';
import { LoraPolicy, type LoraConfig } from '../model/lora/lora-policy';
import type { LoadProgress } from '../model/infer/packed-parameters';
import type { LoraGradients, LoraWeights } from '../nn/train/lora-linear';
import { coldStart } from '../rl/cold-start';
import type { RunConfig } from '../rl/config';
import { Grpo, lossOptions, type GrpoOptions } from '../rl/grpo';
import { MOMENTS } from '../rl/lora-checkpoint';
import { loraOf } from '../rl/lora-config';
import { askForRoom, doesNotFit, planLoraRun } from '../rl/lora-plan';
import { MAX_CHAT_PROMPT_LENGTH } from '../rl/prompt';

export interface LoraSessionOptions extends GrpoOptions {
  /** Bytes that a micro-batch's values may take. */
  activationBytes?: number;
  /** Told how much of the weights has been read. */
  onLoading?: LoadProgress;
}

export class LoraSession extends Grpo<LoraWeights, LoraGradients> {
  private prepared: Promise<void> | null = null;

  private constructor(
    gpu: Gpu,
    config: RunConfig,
    private readonly model: Pick<OpenedModel, 'name' | 'tokenizer'>,
    readonly policyModel: LoraPolicy,
    private readonly lora: LoraConfig,
    options: GrpoOptions,
  ) {
    super(gpu, config, model.tokenizer, policyModel.learner, options);
  }

  /** @throws OutOfMemoryError with the bytes that are needed; RangeError for a config that adapters can't be trained with */
  static async create(
    gpu: Gpu,
    config: RunConfig,
    model: Pick<OpenedModel, 'name' | 'config' | 'tokenizer' | 'tensors' | 'bytes'>,
    { activationBytes, onLoading, ...options }: LoraSessionOptions = {},
  ): Promise<LoraSession> {
    const lora = loraOf(config);
    if (!lora) throw new RangeError('the config asks for no adapters: lora_r is null');
    if (config.cold_start_steps > 0 && !options.lessons)
      throw new RangeError(
        'a cold start of adapters needs a data set: traces are written in the small models’ notation',
      );
    const { learner, bytes } = planLoraRun(gpu, model, config, lora, activationBytes);
    const sizes = { lora, learner, quant: config.quant, slots: config.num_generations };
    const rest = { loss: lossOptions(config), seed: config.seed, validTokens: model.tokenizer.vocabularySize };
    const create = async () => {
      await askForRoom(gpu, bytes.total!);
      return LoraPolicy.create(gpu, model, { ...sizes, ...rest }, onLoading);
    };
    const policy = await create().catch((error: unknown) => {
      throw error instanceof OutOfMemoryError ? doesNotFit(model, bytes, error) : error;
    });
    return new LoraSession(gpu, config, model, policy, lora, options);
  }

  async checkpoint(): Promise<Uint8Array> {
    await this.prepare();
    const { learner } = this.policyModel;
    const { count } = learner.lora.layout;
    const moments = new Float32Array(await this.gpu.read(learner.optimizer.moments, count * 8));
    const tensors = [...(await this.exportTensors()), { name: MOMENTS, shape: [moments.length], data: moments }];
    return writeSafetensors(tensors, 'F32', {
      updates: String(this.updates),
      tokens: String(this.tokens),
      lora: JSON.stringify(this.lora),
      base_model: this.model.name,
    });
  }

  /** @throws Error when the file is damaged or from another run; nothing has changed then */
  async restore(bytes: Uint8Array): Promise<void> {
    const { tensors, metadata } = readSafetensors(bytes);
    const { learner } = this.policyModel;
    const { layout } = learner.lora;
    const stored = tensors.get(MOMENTS);
    const [updates, tokens] = [Number(metadata.updates), Number(metadata.tokens)];
    if (!stored || !Number.isInteger(updates) || !Number.isInteger(tokens)) {
      throw new Error('The file is not a checkpoint of a LoRA run.');
    }
    if (metadata.lora !== JSON.stringify(this.lora)) {
      throw new Error(`The checkpoint is of other adapters: ${metadata.lora}, not ${JSON.stringify(this.lora)}.`);
    }
    const moments = toFloat32(stored);
    if (moments.length !== 2 * layout.count) {
      throw new Error(
        `The checkpoint is not one of this model: it has ${moments.length} moments, not ${2 * layout.count}.`,
      );
    }
    const values = (name: string) => {
      const tensor = tensors.get(name);
      return tensor ? toFloat32(tensor) : new Float32Array();
    };
    const adapters = [...modulesOf(layout)].map(({ part: { name } }): [string, LoraTensors] => {
      const [a, b] = peftTensors([[name, { a: new Float32Array(), b: new Float32Array() }]], this.lora.r);
      return [name, { a: values(a!.name), b: values(b!.name) }];
    });
    learner.setAdapters(new Map(adapters));
    this.gpu.write(learner.optimizer.moments, moments);
    this.policyChanged();
    this.prepared = Promise.resolve();
    this.updates = updates;
    this.tokens = tokens;
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  /** The adapters under PEFT's names. */
  async exportTensors() {
    await this.prepare();
    return peftTensors(await this.policyModel.learner.adapters(), this.lora.r);
  }

  /** The cold start, once, unless a checkpoint has been restored instead. The KL still pulls back to the bare base. */
  protected prepare(): Promise<void> {
    const { learning_rate: learningRate } = this.config;
    const options = { ...this.options, learningRate };
    this.prepared ??= coldStart(this.policyModel.learner, this.model.tokenizer, this.config, options).then(() =>
      this.policyChanged(),
    );
    return this.prepared;
  }

  protected policyChanged(): void {
    this.policyModel.adaptersChanged();
  }

  protected async generate(prompts: number[][], samples: number, settings: SamplingSettings): Promise<Sample[][]> {
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    if (longest > MAX_CHAT_PROMPT_LENGTH) {
      throw new RangeError(`a prompt of ${longest} tokens; at most ${MAX_CHAT_PROMPT_LENGTH} are planned`);
    }
    // As in evaluations: different prompts side by side.
    if (samples === 1) return (await this.policyModel.sampleEach(prompts, settings)).map((sample) => [sample]);
    const results: Sample[][] = [];
    for (const [i, prompt] of prompts.entries()) {
      // Prompts of a step draw differently; the first as the seed says.
      const seed = (settings.seed ^ Math.imul(i, 0x9e3779b1)) >>> 0;
      results.push(await this.policyModel.sample(prompt, samples, { ...settings, seed }));
    }
    return results;
  }
}
