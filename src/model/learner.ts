/**
 * @file A decoder with everything that learning needs: parameters, gradients, optimizer, a reference model, and the
 * per-token values of one batch. Records; the caller submits.
 */
import type { DecoderConfig } from '../formats/hf-config';
import type { Gpu, Tensor } from '../gpu/gpu';
import type { Recorder } from '../gpu/recorder';
import { Adamw, type AdamwSettings } from '../nn/adamw';
import {
  PolicyLoss,
  SEQUENCE_WORDS,
  STAT_NAMES,
  type PolicyLossOptions,
  type PolicyLossSettings,
} from '../nn/policy-loss';
import { buildBatch, type Batch, type SequenceGroup } from './batch';
import { BatchSlots, type BatchSlot } from './batch-slot';
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

export interface LearnerPlan {
  /** Tokens of a micro-batch. */
  maxTokens: number;
  maxPositions: number;
  /** Predicted tokens and sequences of a whole batch. */
  batchRows: number;
  batchSequences: number;
  reference: boolean;
  /** Whether norms and biases decay too; Transformers' Trainer spares them. */
  decayAll?: boolean;
}

export interface SequenceTerm {
  advantage: number;
  /** Of each of its tokens' terms in the loss. */
  weight: number;
}

/** Under Hugging Face's names. */
type NamedValues = ReadonlyMap<string, { data: Float32Array }>;

/** A batch on the GPU, from `Learner.load`. */
export interface LoadedBatch {
  batch: Batch;
  slots: BatchSlot[];
}

export class Learner {
  private constructor(
    readonly gpu: Gpu,
    readonly config: DecoderConfig,
    readonly plan: LearnerPlan,
    readonly layout: ParameterLayout,
    readonly decoder: Decoder,
    readonly params: ParameterViews,
    readonly grads: ParameterViews,
    readonly reference: ParameterViews | null,
    readonly optimizer: Adamw,
    private readonly loss: PolicyLoss,
    private readonly slots: BatchSlots,
    /** [batch rows] f32, of the batch loaded last. */
    readonly rows: Record<'logp' | 'oldLogp' | 'refLogp' | 'entropy' | 'dLogp', Tensor>,
    private readonly sequences: Tensor,
    readonly stats: Tensor,
  ) {}

  static async create(gpu: Gpu, config: DecoderConfig, plan: LearnerPlan, loss: PolicyLossOptions): Promise<Learner> {
    const layout = parameterLayout(config);
    const layerCount = config.num_hidden_layers;
    const { maxTokens, maxPositions, batchRows, batchSequences } = plan;
    const decoderPlan = { maxTokens, maxRows: maxTokens, maxPositions, training: true };
    const decays = decayBlocks(layout, layerCount);
    if (plan.decayAll) decays.fill(1);
    const [decoder, optimizer, policyLoss] = await Promise.all([
      Decoder.create(gpu, config, decoderPlan),
      Adamw.create(gpu, layout.count, decays),
      PolicyLoss.create(gpu, loss),
    ]);
    return gpu.allocating(() => {
      const parameters = (label: string) => allocateParameters(gpu, label, layout, layerCount);
      const row = (label: string) => gpu.alloc(label, batchRows * 4);
      const rows = {
        logp: row('log-probabilities'),
        oldLogp: row('old log-probabilities'),
        refLogp: row('reference log-probabilities'),
        entropy: row('entropies'),
        dLogp: row('log-probability gradients'),
      };
      return new Learner(
        gpu,
        config,
        plan,
        layout,
        decoder,
        parameters('parameters'),
        parameters('gradients'),
        plan.reference ? parameters('reference parameters') : null,
        optimizer,
        policyLoss,
        new BatchSlots(gpu, { maxTokens, maxRows: maxTokens, vocab: config.vocab_size }),
        rows,
        gpu.alloc('sequences', batchSequences * SEQUENCE_WORDS * 4),
        gpu.alloc('sequence statistics', batchSequences * STAT_NAMES.length * 4),
      );
    });
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

  /** Packs and uploads a batch; it stays until the next one. */
  load(groups: readonly SequenceGroup[], term: (sequence: number, rows: number) => SequenceTerm): LoadedBatch {
    const { maxTokens, batchRows } = this.plan;
    const limits = { maxTokens, maxRows: maxTokens, tile: this.decoder.tile, vocab: this.config.vocab_size };
    const batch = buildBatch(groups, limits);
    if (batch.rows > batchRows) throw new RangeError(`a batch of ${batch.rows} tokens; planned for ${batchRows}`);
    const count = batch.rowStart.length - 1;
    const words = new Uint32Array(count * SEQUENCE_WORDS);
    const floats = new Float32Array(words.buffer);
    for (let i = 0; i < count; i++) {
      const start = batch.rowStart[i]!;
      const end = batch.rowStart[i + 1]!;
      const { advantage, weight } = term(i, end - start);
      words.set([start, end], i * SEQUENCE_WORDS);
      floats.set([advantage, weight], i * SEQUENCE_WORDS + 2);
    }
    this.gpu.write(this.sequences, words);
    return { batch, slots: this.slots.fill(batch.microBatches) };
  }

  /** Log-probabilities of the batch under some parameters. */
  score(recorder: Recorder, { slots }: LoadedBatch, params: ParameterViews, out: Tensor, temperature: number): void {
    for (const slot of slots) {
      this.decoder.forwardLogProbs(recorder, params, slot, { logp: out, entropy: this.rows.entropy }, temperature);
    }
  }

  /** Cross-entropy in place of the run's own loss, for `accumulate`. */
  async supervised(): Promise<PolicyLoss> {
    return PolicyLoss.create(this.gpu, { objective: 'cross_entropy', sequenceRatio: false, klRatio: false });
  }

  /** Adds the gradients of the loss over the batch, micro-batch by micro-batch; fills `stats`. */
  accumulate(
    recorder: Recorder,
    { slots }: LoadedBatch,
    settings: PolicyLossSettings,
    onPolicy: boolean,
    temperature: number,
    loss: PolicyLoss = this.loss,
  ): void {
    const { decoder, params, grads, rows } = this;
    for (const slot of slots) {
      recorder.phase('update: forward');
      decoder.forwardLogProbs(recorder, params, slot, rows, temperature);
      recorder.phase('update: backward');
      const tensors = { ...rows, sequences: this.sequences, stats: this.stats };
      loss.record(recorder, tensors, slot.firstSequence, slot.sequences, onPolicy, settings);
      decoder.backward(recorder, params, grads, slot, rows.dLogp, temperature);
    }
  }

  /** Clips, updates the parameters, zeroes the gradients. @param step 1 for the first update */
  update(recorder: Recorder, step: number, settings: AdamwSettings): void {
    recorder.phase('optimizer');
    this.optimizer.step(recorder, this.params.flat, this.grads.flat, step, settings);
  }
}
