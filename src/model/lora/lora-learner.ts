/** @file A decoder of packed weights with adapters, and everything that learning these needs. */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Gpu, GpuTraits } from '../../gpu/gpu';
import { Adamw } from '../../nn/train/adamw';
import type { LoraGradients, LoraWeights } from '../../nn/train/lora-linear';
import type { PolicyLossOptions } from '../../nn/train/policy-loss';
import {
  allocateBatch,
  BatchLearner,
  createLoss,
  type BatchBuffers,
  type Learning,
  type LearnerPlan,
} from '../train/batch-learner';
import { Decoder } from '../train/decoder';
import { decoderBytes, type DecoderPlan } from '../train/decoder-buffers';
import { flattenLora, unflattenLora, type LoraLayout, type LoraTensors } from './lora-layout';
import { allocateLora, loraActivations, type LoraParameters } from './lora-parameters';
import { logitRows, loraParts } from './lora-parts';
import type { PackedParameters } from '../infer/packed-parameters';

/** What is trained: the adapters of a layout; their products are scaled by alpha / r. */
export interface LoraSettings {
  layout: LoraLayout;
  scale: number;
}

export interface LoraLearnerOptions {
  config: DecoderConfig;
  /** Stays the caller's, and unchanged. */
  base: PackedParameters;
  lora: LoraSettings;
  plan: LearnerPlan;
  loss: PolicyLossOptions;
}

const decoderPlan = (config: DecoderConfig, { maxTokens, maxPositions }: LearnerPlan): DecoderPlan => ({
  maxTokens,
  maxRows: maxTokens,
  maxPositions,
  training: true,
  frozen: true,
  logitRows: logitRows(config.vocab_size),
});

export class LoraLearner extends BatchLearner<LoraWeights, LoraGradients> {
  private constructor(
    gpu: Gpu,
    readonly config: DecoderConfig,
    plan: LearnerPlan,
    readonly base: PackedParameters,
    readonly lora: LoraSettings,
    readonly parameters: LoraParameters,
    learning: Learning<LoraWeights, LoraGradients>,
    buffers: BatchBuffers,
  ) {
    super(gpu, plan, learning, buffers);
  }

  static async create(gpu: Gpu, options: LoraLearnerOptions): Promise<LoraLearner> {
    const { config, base, lora, plan } = options;
    const { layout, scale } = lora;
    const sizes = decoderPlan(config, plan);
    const [decoder, optimizer, loss] = await Promise.all([
      Decoder.of(gpu, config, sizes, (buffers) => loraParts(gpu, { config, plan: sizes, buffers, base, layout })),
      Adamw.create(gpu, layout.count, new Uint32Array(layout.count / 64).fill(1)),
      createLoss(gpu, options.loss),
    ]);
    return gpu.allocating(() => {
      const parameters = allocateLora(gpu, base, layout, plan.maxTokens, scale);
      const learning = {
        decoder,
        params: parameters.weights,
        grads: parameters.gradients,
        reference: plan.reference ? parameters.reference : null,
        flat: { params: parameters.flat, grads: parameters.grads },
        optimizer,
        loss,
      };
      const buffers = allocateBatch(gpu, config.vocab_size, plan);
      return new LoraLearner(gpu, config, plan, base, lora, parameters, learning, buffers);
    });
  }

  /** Bytes that a learner takes beside the packed weights: its adapters, and a micro-batch's values. */
  static bytes(gpu: GpuTraits, config: DecoderConfig, layout: LoraLayout, plan: LearnerPlan): Record<string, number> {
    const u = loraActivations(layout, plan.maxTokens);
    return {
      'adapters and optimizer': layout.count * 4 * 4,
      'token values': plan.batchRows * 4 * 5 + plan.batchSequences * 48,
      activations: decoderBytes(config, decoderPlan(config, plan), gpu) + 4 * (u.largest + u.total),
    };
  }

  /** @throws Error naming the first module that is missing or has other sizes */
  setAdapters(tensors: ReadonlyMap<string, LoraTensors>): void {
    this.gpu.write(this.parameters.flat, flattenLora(this.lora.layout, tensors));
  }

  /** The adapters, or their gradients, by module. */
  async adapters(source = this.parameters.flat): Promise<Map<string, LoraTensors>> {
    const { layout } = this.lora;
    return unflattenLora(layout, new Float32Array(await this.gpu.read(source, layout.count * 4)));
  }
}
