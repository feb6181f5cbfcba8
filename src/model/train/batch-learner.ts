/**
 * @file What learning needs whatever it is that learns: the per-token values of one batch, the loss, the optimizer.
 * Records; the caller submits.
 */
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import type { Adamw, AdamwSettings } from '../../nn/train/adamw';
import {
  PolicyLoss,
  SEQUENCE_WORDS,
  STAT_NAMES,
  type PolicyLossOptions,
  type PolicyLossSettings,
} from '../../nn/train/policy-loss';
import { buildBatch, type Batch, type SequenceGroup } from './batch';
import { BatchSlots, type BatchSlot } from './batch-slot';
import type { Decoder } from './decoder';
import type { DecoderGradients, DecoderWeights } from './decoder-parts';

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
  /** Multiplies the term of each of its tokens in the loss. */
  weight: number;
}

/** A batch on the GPU, from `BatchLearner.load`. */
export interface LoadedBatch {
  batch: Batch;
  slots: BatchSlot[];
}

/** Values of a batch that learners keep. */
export interface BatchBuffers {
  slots: BatchSlots;
  /** [batch rows] f32, of the batch loaded last. */
  rows: Record<'logp' | 'oldLogp' | 'refLogp' | 'entropy' | 'dLogp', Tensor>;
  sequences: Tensor;
  stats: Tensor;
}

export function allocateBatch(gpu: Gpu, vocab: number, plan: LearnerPlan): BatchBuffers {
  const { maxTokens, batchRows, batchSequences } = plan;
  const row = (label: string) => gpu.alloc(label, batchRows * 4);
  return {
    slots: new BatchSlots(gpu, { maxTokens, maxRows: maxTokens, vocab }),
    rows: {
      logp: row('log-probabilities'),
      oldLogp: row('old log-probabilities'),
      refLogp: row('reference log-probabilities'),
      entropy: row('entropies'),
      dLogp: row('log-probability gradients'),
    },
    sequences: gpu.alloc('sequences', batchSequences * SEQUENCE_WORDS * 4),
    stats: gpu.alloc('sequence statistics', batchSequences * STAT_NAMES.length * 4),
  };
}

/** What is trained: one flat buffer of values and one of gradients, and the decoder's views of them. */
export interface Learning<M, G> {
  decoder: Decoder<M, G>;
  params: DecoderWeights<M>;
  grads: DecoderGradients<G>;
  /** The frozen start model, for the KL. */
  reference: DecoderWeights<M> | null;
  flat: { params: Tensor; grads: Tensor };
  optimizer: Adamw;
  loss: PolicyLoss;
}

export const createLoss = (gpu: Gpu, options: PolicyLossOptions): Promise<PolicyLoss> =>
  PolicyLoss.create(gpu, options);

export interface AccumulateOptions {
  /** The weights are still those that the batch was sampled with, so that every ratio is 1. */
  onPolicy: boolean;
  temperature: number;
  /** In place of the learner's own loss. */
  loss?: PolicyLoss;
}

export class BatchLearner<M, G> {
  constructor(
    readonly gpu: Gpu,
    readonly plan: LearnerPlan,
    protected readonly learning: Learning<M, G>,
    private readonly buffers: BatchBuffers,
  ) {}

  get decoder(): Decoder<M, G> {
    return this.learning.decoder;
  }

  get params(): DecoderWeights<M> {
    return this.learning.params;
  }

  /** The frozen start model, for the KL. */
  get reference(): DecoderWeights<M> | null {
    return this.learning.reference;
  }

  get optimizer(): Adamw {
    return this.learning.optimizer;
  }

  /** [batch rows] f32, of the batch loaded last. */
  get rows(): BatchBuffers['rows'] {
    return this.buffers.rows;
  }

  get stats(): Tensor {
    return this.buffers.stats;
  }

  /** Packs and uploads a batch; it stays until the next one. */
  load(groups: readonly SequenceGroup[], term: (sequence: number, rows: number) => SequenceTerm): LoadedBatch {
    const { maxTokens, batchRows } = this.plan;
    const { tile, config } = this.decoder;
    const batch = buildBatch(groups, { maxTokens, maxRows: maxTokens, tile, vocab: config.vocab_size });
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
    this.gpu.write(this.buffers.sequences, words);
    return { batch, slots: this.buffers.slots.fill(batch.microBatches) };
  }

  /** Log-probabilities of the batch under some weights, as a rule this learner's `params` or `reference`. */
  score(
    recorder: Recorder,
    { slots }: LoadedBatch,
    weights: DecoderWeights<M>,
    out: Tensor,
    temperature: number,
  ): void {
    for (const slot of slots) {
      this.decoder.forwardLogProbs(recorder, weights, slot, { logp: out, entropy: this.rows.entropy }, temperature);
    }
  }

  get hasReference(): boolean {
    return this.learning.reference !== null;
  }

  /**
   * Log-probabilities of the batch under the weights as they are now, or under the frozen start model.
   * @throws Error when there is no reference model
   */
  scoreAs(
    recorder: Recorder,
    batch: LoadedBatch,
    model: 'policy' | 'reference',
    out: Tensor,
    temperature: number,
  ): void {
    const weights = model === 'policy' ? this.learning.params : this.learning.reference;
    if (!weights) throw new Error('this learner was planned without a reference model');
    this.score(recorder, batch, weights, out, temperature);
  }

  /** Cross-entropy in place of the run's own loss, for `accumulate`. */
  async supervised(): Promise<PolicyLoss> {
    return createLoss(this.gpu, { objective: 'cross_entropy', sequenceRatio: false, klRatio: false });
  }

  /** Adds the gradients of the loss over the batch, micro-batch by micro-batch; fills `stats`. */
  accumulate(
    recorder: Recorder,
    { slots }: LoadedBatch,
    settings: PolicyLossSettings,
    { onPolicy, temperature, loss = this.learning.loss }: AccumulateOptions,
  ): void {
    const { decoder, params, grads } = this.learning;
    const { rows, sequences, stats } = this.buffers;
    for (const slot of slots) {
      recorder.phase('update: forward');
      decoder.forwardLogProbs(recorder, params, slot, rows, temperature);
      recorder.phase('update: backward');
      const span = { first: slot.firstSequence, count: slot.sequences, onPolicy };
      loss.record(recorder, { ...rows, sequences, stats }, span, settings);
      decoder.backward(recorder, params, grads, slot, { dLogp: rows.dLogp, temperature });
    }
  }

  /** Clips, updates the parameters, zeroes the gradients. @param step 1 for the first update */
  update(recorder: Recorder, step: number, settings: AdamwSettings): void {
    recorder.phase('optimizer');
    const { params, grads } = this.learning.flat;
    this.optimizer.step(recorder, params, grads, step, settings);
  }
}

/** A learner to those who don't care how its weights are held. */
export type PolicyLearner = Pick<
  BatchLearner<unknown, unknown>,
  'gpu' | 'load' | 'scoreAs' | 'accumulate' | 'update' | 'supervised' | 'rows' | 'stats' | 'optimizer' | 'hasReference'
>;
