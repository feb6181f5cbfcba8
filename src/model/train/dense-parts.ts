/** @file The decoder's matrices in f32, all of which learn. */
import { matrixSize, type MatrixBlock } from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { Gather } from '../../nn/train/gather';
import { Linear } from '../../nn/train/linear';
import { LogProb } from '../../nn/train/log-prob';
import type { BatchSlot } from './batch-slot';
import type { DecoderBuffers, DecoderPlan } from './decoder-buffers';
import type { DecoderParts, Embedding, Head, Projection } from './decoder-parts';

/** Compiles the kernels; the linear layers share one scratch buffer. */
export async function denseParts(
  gpu: Gpu,
  config: DecoderConfig,
  plan: DecoderPlan,
  buffers: DecoderBuffers,
): Promise<DecoderParts<Tensor, Tensor>> {
  const { hidden_size: hidden, vocab_size: vocab } = config;
  const { maxTokens, maxRows } = plan;
  const scratch = buffers.linearScratch;
  const linear = (block: MatrixBlock, bias = false) =>
    Linear.create(gpu, { ...matrixSize(config, block), bias, maxRows: maxTokens, scratch });
  const [gather, qkv, out, gateUp, down, head, logProb] = await Promise.all([
    Gather.create(gpu, hidden, true),
    linear('qkv', config.qkv_bias),
    linear('out'),
    linear('gateUp'),
    linear('down'),
    Linear.create(gpu, { inFeatures: hidden, outFeatures: vocab, bias: false, maxRows, scratch }),
    LogProb.create(gpu, vocab),
  ]);
  return {
    embedding: new DenseEmbedding(gather, vocab),
    qkv: learning(qkv),
    out: learning(out),
    gateUp: learning(gateUp),
    down: learning(down),
    head: new DenseHead(head, logProb, buffers),
  };
}

/** A linear layer whose weight always has a gradient. */
const learning = (linear: Linear): Projection<Tensor, Tensor> => ({
  forward: (...args) => linear.forward(...args),
  backward: (recorder, forward, { dWeight, ...gradients }, rows) =>
    linear.backward(recorder, forward, { ...gradients, dWeight: dWeight! }, rows),
});

class DenseEmbedding implements Embedding<Tensor, Tensor> {
  constructor(
    private readonly gather: Gather,
    private readonly vocab: number,
  ) {}

  forward(recorder: Recorder, weight: Tensor, { tokenIds, tokens }: BatchSlot, x: Tensor): void {
    this.gather.forward(recorder, weight, tokenIds, x, tokens);
  }

  backward(recorder: Recorder, dx: Tensor, { tokensOfId }: BatchSlot, dWeight: Tensor | null): void {
    this.gather.backward(recorder, { dOut: dx, ...tokensOfId, dTable: dWeight! }, this.vocab);
  }
}

/** Keeps all logits of a micro-batch. */
class DenseHead implements Head<Tensor, Tensor> {
  constructor(
    private readonly linear: Linear,
    private readonly logProb: LogProb,
    private readonly buffers: Pick<DecoderBuffers, 'logits' | 'rowLse'>,
  ) {}

  forward(recorder: Recorder, x: Tensor, weight: Tensor, rows: number): void {
    this.linear.forward(recorder, { x, weight, y: this.buffers.logits }, rows);
  }

  logProbs(
    recorder: Recorder,
    { x, weight, temperature }: { x: Tensor; weight: Tensor; temperature: number },
    { targets, rows, firstRow }: BatchSlot,
    out: { logp: Tensor; entropy: Tensor },
  ): void {
    this.forward(recorder, x, weight, rows);
    const { logits, rowLse: lse } = this.buffers;
    this.logProb.forward(recorder, { logits, targets, ...out, lse }, { rows, offset: firstRow, temperature });
  }

  backward(
    recorder: Recorder,
    { x, weight, temperature, dLogp }: { x: Tensor; weight: Tensor; temperature: number; dLogp: Tensor },
    { targets, rows, firstRow }: BatchSlot,
    { dx, dWeight }: { dx: Tensor; dWeight: Tensor | null },
  ): void {
    const { logits, rowLse: lse } = this.buffers;
    this.logProb.backward(recorder, { logits, targets, lse, dLogp }, { rows, offset: firstRow, temperature });
    this.linear.backward(recorder, { x, weight, dy: logits }, { dx, dWeight: dWeight!, dBias: null }, rows);
  }
}
