/**
 * @file The decoder's parts that contain matrices, as interfaces: they multiply forwards and backwards. How matrices (M) and
 * their gradients (G) are stored is up to the implementation: f32 that learns, or packed weights with adapters.
 */
import type { MatrixBlock, VectorBlock } from '../../formats/hf/architecture';
import type { Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import type { BatchSlot } from './batch-slot';

export interface DecoderWeights<M> {
  readonly layers: readonly (Partial<Record<MatrixBlock, M>> & Partial<Record<VectorBlock, Tensor>>)[];
  readonly embedding: M;
  readonly finalNorm: Tensor;
  /** The embedding when tied. */
  readonly head: M;
}

/** Gradients are added to; what is null, or not there, doesn't learn. */
export interface DecoderGradients<G> {
  readonly layers: readonly (Partial<Record<MatrixBlock, G | null>> & Partial<Record<VectorBlock, Tensor>>)[];
  readonly embedding: G | null;
  readonly finalNorm: Tensor | null;
  readonly head: G | null;
}

/** y = xWᵀ + b, or added to y with `accumulate`. */
export interface ProductCall<M> {
  x: Tensor;
  weight: M;
  /** Left out where the layer has none. */
  bias?: Tensor | null | undefined;
  y: Tensor;
  accumulate?: boolean;
}

/** A linear layer; src/nn/train/linear.ts and src/nn/train/lora-linear.ts are two. */
export interface Projection<M, G> {
  /** y = xWᵀ + b, or added to y. */
  forward(recorder: Recorder, call: ProductCall<M>, rows: number): void;
  /** dx = dy·W, and the gradients by what learns. Must follow `forward` of the same rows. */
  backward(
    recorder: Recorder,
    forward: { x: Tensor; weight: M; dy: Tensor },
    gradients: { dx: Tensor; dWeight: G | null; dBias: Tensor | null },
    rows: number,
  ): void;
}

export interface Embedding<M, G> {
  /** x [tokens, hidden] */
  forward(recorder: Recorder, weight: M, batch: BatchSlot, x: Tensor): void;
  backward(recorder: Recorder, dx: Tensor, batch: BatchSlot, dWeight: G | null): void;
}

/** From normed hidden states x [rows, hidden] to logits, and to the targets' log-probabilities. */
export interface Head<M, G> {
  /** To the decoder's `buffers.logits`, as many rows as it holds. */
  forward(recorder: Recorder, x: Tensor, weight: M, rows: number): void;
  /** Written at the batch's first row on. */
  logProbs(
    recorder: Recorder,
    inputs: { x: Tensor; weight: M; temperature: number },
    batch: BatchSlot,
    out: { logp: Tensor; entropy: Tensor },
  ): void;
  /**
   * Must follow `logProbs` of the same batch and weights.
   * @param inputs.dLogp the loss's gradient by each row's log-probability, from the batch's first row on
   */
  backward(
    recorder: Recorder,
    inputs: { x: Tensor; weight: M; temperature: number; dLogp: Tensor },
    batch: BatchSlot,
    gradients: { dx: Tensor; dWeight: G | null },
  ): void;
}

export interface DecoderParts<M, G> {
  embedding: Embedding<M, G>;
  qkv: Projection<M, G>;
  out: Projection<M, G>;
  gateUp: Projection<M, G>;
  down: Projection<M, G>;
  head: Head<M, G>;
}
