/** @file A decoder with everything that learning all of its weights needs: parameters, gradients, a reference model. */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Gpu, Tensor } from '../../gpu/gpu';
import { Adamw } from '../../nn/train/adamw';
import type { PolicyLossOptions } from '../../nn/train/policy-loss';
import {
  allocateBatch,
  BatchLearner,
  createLoss,
  type BatchBuffers,
  type Learning,
  type LearnerPlan,
} from './batch-learner';
import { Decoder } from './decoder';
import {
  allocateParameters,
  decayBlocks,
  flatten,
  parameterLayout,
  unflatten,
  type NamedTensor,
  type ParameterLayout,
  type ParameterViews,
} from './parameters';

export type { LearnerPlan, LoadedBatch, SequenceTerm } from './batch-learner';

/** Under Hugging Face's names. */
type NamedValues = ReadonlyMap<string, { data: Float32Array }>;

interface Views {
  params: ParameterViews;
  grads: ParameterViews;
  reference: ParameterViews | null;
}

export class Learner extends BatchLearner<Tensor, Tensor> {
  private constructor(
    gpu: Gpu,
    readonly config: DecoderConfig,
    plan: LearnerPlan,
    readonly layout: ParameterLayout,
    learning: Learning<Tensor, Tensor>,
    private readonly views: Views,
    buffers: BatchBuffers,
  ) {
    super(gpu, plan, learning, buffers);
  }

  static async create(
    gpu: Gpu,
    config: DecoderConfig,
    plan: LearnerPlan,
    options: PolicyLossOptions,
  ): Promise<Learner> {
    const layout = parameterLayout(config);
    const layerCount = config.num_hidden_layers;
    const { maxTokens, maxPositions } = plan;
    const decoderPlan = { maxTokens, maxRows: maxTokens, maxPositions, training: true };
    const decays = decayBlocks(layout, layerCount);
    if (plan.decayAll) decays.fill(1);
    const [decoder, optimizer, loss] = await Promise.all([
      Decoder.create(gpu, config, decoderPlan),
      Adamw.create(gpu, layout.count, decays),
      createLoss(gpu, options),
    ]);
    return gpu.allocating(() => {
      const parameters = (label: string) => allocateParameters(gpu, label, layout, layerCount);
      const views = {
        params: parameters('parameters'),
        grads: parameters('gradients'),
        reference: plan.reference ? parameters('reference parameters') : null,
      };
      const flat = { params: views.params.flat, grads: views.grads.flat };
      const learning = { decoder, ...views, flat, optimizer, loss };
      return new Learner(gpu, config, plan, layout, learning, views, allocateBatch(gpu, config.vocab_size, plan));
    });
  }

  override get params(): ParameterViews {
    return this.views.params;
  }

  get grads(): ParameterViews {
    return this.views.grads;
  }

  override get reference(): ParameterViews | null {
    return this.views.reference;
  }

  /** Sets the parameters, and the reference model if there is one, from Hugging Face's tensors. */
  setParameters(tensors: NamedValues): void {
    const flat = this.flatten(tensors);
    this.gpu.write(this.params.flat, flat);
    if (this.reference) this.gpu.write(this.reference.flat, flat);
  }

  /**
   * Takes training up where a checkpoint left it; all is checked before anything changes.
   * @param reference read where this learner has a reference model
   * @throws Error naming the first tensor that is missing or has another size
   */
  restore({
    parameters,
    moments,
    reference,
  }: Record<'parameters' | 'reference', NamedValues> & { moments: Float32Array }): void {
    const flat = this.flatten(parameters);
    const frozen = this.reference && this.flatten(reference);
    if (moments.length !== this.layout.count * 2) {
      throw new Error(`Adam's moments have ${moments.length} values; the config implies ${this.layout.count * 2}`);
    }
    this.gpu.write(this.params.flat, flat);
    this.gpu.write(this.optimizer.moments, moments);
    if (this.reference) this.gpu.write(this.reference.flat, frozen!);
  }

  async parameters(source: ParameterViews = this.params): Promise<NamedTensor[]> {
    const flat = new Float32Array(await this.gpu.read(source.flat, this.layout.count * 4));
    return unflatten(this.layout, this.config.num_hidden_layers, flat);
  }

  private flatten(tensors: NamedValues): Float32Array<ArrayBuffer> {
    return flatten(this.layout, this.config.num_hidden_layers, tensors);
  }
}
