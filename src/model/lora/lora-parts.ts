/**
 * @file The decoder's matrices as packed weights that stay as they are, with adapters that learn. Log-probabilities are made
 * a share of the rows at a time, and their logits again in the backward, so that all of a batch's never exist at once.
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { Gemm } from '../../nn/infer/gemm';
import { LogProb } from '../../nn/train/log-prob';
import { LoraLinear, type LoraGradients, type LoraWeights } from '../../nn/train/lora-linear';
import { PackedGather } from '../../nn/infer/packed-gather';
import type { BatchSlot } from '../train/batch-slot';
import type { DecoderBuffers, DecoderPlan } from '../train/decoder-buffers';
import type { DecoderParts, Embedding, Head } from '../train/decoder-parts';
import { matrixSize, type MatrixBlock } from '../../formats/hf/architecture';
import type { LoraLayout } from './lora-layout';
import type { PackedParameters } from '../infer/packed-parameters';

/**
 * Gradients are this many times too large on their way back through the layers: products with packed weights are in f16
 * where a GPU has it, and a share of a probability among 150,000 would be nothing there. A power of two, so that nothing
 * else changes. Adapters' gradients have it taken out again.
 */
const GRADIENT_SCALE = 1024;

/** Bytes of the logits that are kept at once. */
const LOGIT_BYTES = 64 * 2 ** 20;
/** Rows begin where WebGPU can bind. */
const ROW_STEP = 64;

/** Rows whose logits are kept at once. */
export const logitRows = (vocab: number): number =>
  Math.max(ROW_STEP, Math.floor(LOGIT_BYTES / (4 * vocab) / ROW_STEP) * ROW_STEP);

export interface LoraPartsOptions {
  config: DecoderConfig;
  plan: Pick<DecoderPlan, 'maxTokens'>;
  buffers: DecoderBuffers;
  base: PackedParameters;
  layout: LoraLayout;
}

export async function loraParts(
  gpu: Gpu,
  { config, plan: { maxTokens }, buffers, base, layout }: LoraPartsOptions,
): Promise<DecoderParts<LoraWeights, LoraGradients>> {
  const { hidden_size: hidden, vocab_size: vocab } = config;
  const linear = (name: MatrixBlock, bias = false) =>
    LoraLinear.create(gpu, {
      ...matrixSize(config, name),
      bias,
      maxTokens,
      kinds: [...new Set(base.layers.flatMap((layer) => layer[name].map(({ kind }) => kind)))],
      lora: layout.layers[0]![name]?.shape ?? null,
      gradientScale: GRADIENT_SCALE,
    });
  const { kind } = base.head;
  const product = { kind, inFeatures: hidden, outFeatures: vocab, maxTokens: logitRows(vocab) };
  const [gather, qkv, out, gateUp, down, logits, gradient, logProb] = await Promise.all([
    PackedGather.create(gpu, { kind: base.embedding.kind, columns: hidden }),
    linear('qkv', config.qkv_bias),
    linear('out'),
    linear('gateUp'),
    linear('down'),
    Gemm.create(gpu, product),
    Gemm.create(gpu, { ...product, transposed: true }),
    LogProb.create(gpu, vocab),
  ]);
  return {
    embedding: new FrozenEmbedding(gather),
    qkv,
    out,
    gateUp,
    down,
    head: new FrozenHead(logits, gradient, logProb, buffers, { hidden, rows: logitRows(vocab) }),
  };
}

class FrozenEmbedding implements Embedding<LoraWeights, LoraGradients> {
  constructor(private readonly gather: PackedGather) {}

  forward(recorder: Recorder, { base }: LoraWeights, { tokenIds, tokens }: BatchSlot, x: Tensor): void {
    for (const weight of base) this.gather.record(recorder, { ids: tokenIds, weight, y: x }, tokens);
  }

  backward(): void {
    // It doesn't learn.
  }
}

class FrozenHead implements Head<LoraWeights, LoraGradients> {
  /** Views of tensors from a row on, made once so that bind groups stay valid. */
  private readonly views = new Map<Tensor, Tensor[]>();

  constructor(
    private readonly product: Gemm,
    private readonly gradient: Gemm,
    private readonly logProb: LogProb,
    private readonly buffers: Pick<DecoderBuffers, 'logits' | 'rowLse'>,
    private readonly sizes: { hidden: number; rows: number },
  ) {}

  forward(recorder: Recorder, x: Tensor, { base }: LoraWeights, rows: number): void {
    const count = Math.min(rows, this.sizes.rows);
    for (const weight of base) this.product.record(recorder, { x, weight, y: this.buffers.logits }, count);
  }

  logProbs(
    recorder: Recorder,
    { x, weight, temperature }: { x: Tensor; weight: LoraWeights; temperature: number },
    { targets, rows, firstRow }: BatchSlot,
    out: { logp: Tensor; entropy: Tensor },
  ): void {
    const { logits, rowLse } = this.buffers;
    for (let first = 0; first < rows; first += this.sizes.rows) {
      const count = Math.min(this.sizes.rows, rows - first);
      this.forward(recorder, this.from(x, first, this.sizes.hidden), weight, count);
      const tensors = { logits, targets: this.from(targets, first), ...out, lse: this.from(rowLse, first) };
      this.logProb.forward(recorder, tensors, { rows: count, offset: firstRow + first, temperature });
    }
  }

  backward(
    recorder: Recorder,
    { x, weight, temperature, dLogp }: { x: Tensor; weight: LoraWeights; temperature: number; dLogp: Tensor },
    { targets, rows, firstRow }: BatchSlot,
    { dx }: { dx: Tensor },
  ): void {
    const { hidden, rows: most } = this.sizes;
    const { logits, rowLse } = this.buffers;
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      // When all fit, `logProbs` has left them.
      if (rows > most) this.forward(recorder, this.from(x, first, hidden), weight, count);
      const tensors = { logits, targets: this.from(targets, first), lse: this.from(rowLse, first), dLogp };
      const span = { rows: count, offset: firstRow + first, temperature, scale: GRADIENT_SCALE };
      this.logProb.backward(recorder, tensors, span);
      weight.base.forEach((matrix, i) => {
        const y = this.from(dx, first, hidden);
        this.gradient.record(recorder, { x: logits, weight: matrix, y, accumulate: i > 0 }, count);
      });
    }
  }

  /** A tensor [rows, columns] from a row on, a multiple of `sizes.rows`. */
  private from(tensor: Tensor, first: number, columns = 1): Tensor {
    let views = this.views.get(tensor);
    if (!views) this.views.set(tensor, (views = []));
    const offset = 4 * first * columns;
    return (views[first / this.sizes.rows] ??= slice(tensor, offset, tensor.size - offset));
  }
}
