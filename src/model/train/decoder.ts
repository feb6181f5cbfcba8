/**
 * @file The decoder of the Llama family (Llama, Qwen2, Qwen3) over ragged micro-batches: forward, and backward by hand,
 * layer by layer. All buffers are planned once for the largest micro-batch; nothing is allocated while it runs. What
 * multiplies by its matrices is exchangeable: f32 weights that all learn (./dense-parts.ts), or packed ones that stay as
 * they are, with adapters that learn (src/model/lora/lora-parts.ts).
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Gpu, Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { Attention } from '../../nn/train/attention';
import { Gather } from '../../nn/train/gather';
import { RmsNorm } from '../../nn/train/rms-norm';
import { Rope, ropeFrequencies, ropeTable } from '../../nn/rope';
import { Swiglu } from '../../nn/train/swiglu';
import type { BatchSlot } from './batch-slot';
import { planBuffers, type DecoderBuffers, type LayerBuffers, type DecoderPlan } from './decoder-buffers';
import type { DecoderGradients, DecoderParts, DecoderWeights } from './decoder-parts';
import { denseParts } from './dense-parts';

/** @typeParam M how a matrix is held @typeParam G where its gradients go */
export class Decoder<M = Tensor, G = Tensor> {
  private constructor(
    readonly config: DecoderConfig,
    readonly plan: DecoderPlan,
    readonly buffers: DecoderBuffers,
    /** Tokens a tile of attention. */
    readonly tile: number,
    /** [max_position_embeddings, head_dim / 2, 2] */
    readonly ropeTable: Tensor,
    private readonly nn: Layers & DecoderParts<M, G>,
  ) {}

  /** A decoder whose weights are all f32, and can all learn. */
  static create(gpu: Gpu, config: DecoderConfig, plan: DecoderPlan): Promise<Decoder> {
    return Decoder.of(gpu, config, plan, (buffers) => denseParts(gpu, config, plan, buffers));
  }

  static async of<M, G>(
    gpu: Gpu,
    config: DecoderConfig,
    plan: DecoderPlan,
    createParts: (buffers: DecoderBuffers) => Promise<DecoderParts<M, G>>,
  ): Promise<Decoder<M, G>> {
    const buffers = await planBuffers(gpu, config, plan);
    const table = ropeTable(plan.maxPositions, ropeFrequencies(config));
    const tableBuffer = gpu.alloc('rope table', table.byteLength);
    gpu.write(tableBuffer, table);
    const [layers, parts] = await Promise.all([createLayers(gpu, config, plan), createParts(buffers)]);
    return new Decoder(config, plan, buffers, layers.attention.shape.tile, tableBuffer, { ...layers, ...parts });
  }

  /**
   * Runs the layers over a micro-batch's tokens. In a training plan every layer's intermediate values are kept.
   * @param onLayer called after each layer's attention has been recorded, with its QKV lines [tokens, qkv]
   * @returns the final residual stream [tokens, hidden]
   */
  forwardLayers(
    recorder: Recorder,
    params: DecoderWeights<M>,
    batch: BatchSlot,
    onLayer?: (layer: number, qkv: Tensor) => void,
  ): Tensor {
    const { nn, buffers, config } = this;
    const { tokens } = batch;
    let x = buffers.layers[0]!.input;
    nn.embedding.forward(recorder, params.embedding, batch, x);
    for (let layer = 0; layer < config.num_hidden_layers; layer++) {
      const w = params.layers[layer]!;
      const b = buffers.layers[layer]!;
      const training = this.plan.training;
      const norm1 = { x, weight: w.norm1!, y: b.norm1, rstd: b.rstd1, copy: training ? b.middle : undefined };
      nn.norm.forward(recorder, norm1, tokens);
      this.forwardQkv(recorder, w, b, batch);
      nn.attention.forward(recorder, { qkv: b.qkv, ...batch }, { out: b.attention, lse: b.lse });
      onLayer?.(layer, b.qkv);
      nn.out.forward(recorder, { x: b.attention, weight: w.out!, y: b.middle, accumulate: true }, tokens);
      const norm2 = { x: b.middle, weight: w.norm2!, y: b.norm2, rstd: b.rstd2, copy: training ? b.output : undefined };
      nn.norm.forward(recorder, norm2, tokens);
      nn.gateUp.forward(recorder, { x: b.norm2, weight: w.gateUp!, y: b.gateUp }, tokens);
      nn.swiglu.forward(recorder, b.gateUp, b.activation, tokens);
      nn.down.forward(recorder, { x: b.activation, weight: w.down!, y: b.output, accumulate: true }, tokens);
      x = b.output;
    }
    return x;
  }

  /** The logits of a micro-batch's first predicting rows, as many as `buffers.logits` [rows, vocab] holds. */
  forwardLogits(recorder: Recorder, params: DecoderWeights<M>, batch: BatchSlot): void {
    this.forwardRows(recorder, params, batch);
    this.nn.head.forward(recorder, this.buffers.rowNorm, params.head, batch.rows);
  }

  /** Log-probabilities of the targets, written at the batch's first row on. */
  forwardLogProbs(
    recorder: Recorder,
    params: DecoderWeights<M>,
    batch: BatchSlot,
    out: { logp: Tensor; entropy: Tensor },
    temperature: number,
  ): void {
    this.forwardRows(recorder, params, batch);
    const inputs = { x: this.buffers.rowNorm, weight: params.head, temperature };
    this.nn.head.logProbs(recorder, inputs, batch, out);
  }

  /**
   * Adds the gradients of a micro-batch to `grads`. Must follow `forwardLogProbs` of the same micro-batch.
   * @param dLogp the loss's gradient by each row's log-probability, from the batch's first row on
   */
  backward(
    recorder: Recorder,
    params: DecoderWeights<M>,
    grads: DecoderGradients<G>,
    batch: BatchSlot,
    { dLogp, temperature }: { dLogp: Tensor; temperature: number },
  ): void {
    const { nn, buffers: b, config } = this;
    const { rows, tokens } = batch;
    if (!b.gradients) throw new Error('this decoder was planned without training');
    const g = b.gradients;
    const head = { dx: g.rowHidden, dWeight: grads.head };
    nn.head.backward(recorder, { x: b.rowNorm, weight: params.head, temperature, dLogp }, batch, head);
    nn.rowNorm.backward(
      recorder,
      {
        x: b.rowHidden,
        weight: params.finalNorm,
        rstd: b.rowRstd,
        dy: null,
        dx: g.rowHidden,
        dWeight: grads.finalNorm,
        scratch: g.normScratch,
      },
      rows,
    );
    nn.rows.backward(recorder, { dOut: g.rowHidden, ...batch.rowsOfToken, dTable: g.x }, tokens);
    for (let layer = config.num_hidden_layers - 1; layer >= 0; layer--) {
      this.backwardLayer(recorder, params.layers[layer]!, grads.layers[layer]!, b.layers[layer]!, batch);
    }
    nn.embedding.backward(recorder, g.x, batch, grads.embedding);
  }

  /** The normed hidden states of the predicting rows, [rows, hidden] in `buffers.rowNorm`. */
  private forwardRows(recorder: Recorder, params: DecoderWeights<M>, batch: BatchSlot): void {
    const { nn, buffers: b } = this;
    const x = this.forwardLayers(recorder, params, batch);
    nn.rows.forward(recorder, x, batch.rowIndex, b.rowHidden, batch.rows);
    const norm = { x: b.rowHidden, weight: params.finalNorm, y: b.rowNorm, rstd: b.rowRstd };
    nn.norm.forward(recorder, norm, batch.rows);
  }

  private forwardQkv(recorder: Recorder, w: LayerWeights<M>, b: LayerBuffers, { positions, tokens }: BatchSlot): void {
    const { nn } = this;
    nn.qkv.forward(recorder, { x: b.norm1, weight: w.qkv!, bias: w.qkvBias, y: b.rawQkv }, tokens);
    if (nn.qkNorm) {
      recorder.copy(b.rawQkv, b.qkv);
      nn.qkNorm.q.forward(recorder, { x: b.rawQkv, weight: w.qNorm!, y: b.qkv, rstd: b.qRstd! }, tokens);
      nn.qkNorm.k.forward(recorder, { x: b.rawQkv, weight: w.kNorm!, y: b.qkv, rstd: b.kRstd! }, tokens);
    }
    nn.rope.forward(recorder, b.qkv, positions, this.ropeTable, tokens);
  }

  private backwardLayer(
    recorder: Recorder,
    w: LayerWeights<M>,
    dw: LayerGradients<G>,
    b: LayerBuffers,
    batch: BatchSlot,
  ): void {
    const { nn } = this;
    const g = this.buffers.gradients!;
    const { tokens, positions } = batch;
    const down = { dx: g.activation, dWeight: dw.down ?? null, dBias: null };
    nn.down.backward(recorder, { x: b.activation, weight: w.down!, dy: g.x }, down, tokens);
    nn.swiglu.backward(recorder, b.gateUp, g.activation, g.gateUp, tokens);
    const gateUp = { dx: g.norm, dWeight: dw.gateUp ?? null, dBias: null };
    nn.gateUp.backward(recorder, { x: b.norm2, weight: w.gateUp!, dy: g.gateUp }, gateUp, tokens);
    const norm = { dy: g.norm, dx: g.x, scratch: g.normScratch };
    const norm2 = { x: b.middle, weight: w.norm2!, rstd: b.rstd2, dWeight: dw.norm2 ?? null };
    nn.norm.backward(recorder, { ...norm2, ...norm }, tokens);

    const out = { dx: g.attention, dWeight: dw.out ?? null, dBias: null };
    nn.out.backward(recorder, { x: b.attention, weight: w.out!, dy: g.x }, out, tokens);
    const attended = { out: b.attention, lse: b.lse };
    const attention = { dOut: g.attention, delta: g.delta, dQkv: g.qkv };
    nn.attention.backward(recorder, { qkv: b.qkv, ...batch }, attended, attention);
    nn.rope.backward(recorder, g.qkv, positions, this.ropeTable, tokens);
    if (nn.qkNorm) {
      const heads = { x: b.rawQkv, dy: null, dx: g.qkv, scratch: g.normScratch };
      const q = { ...heads, weight: w.qNorm!, rstd: b.qRstd!, dWeight: dw.qNorm ?? null };
      nn.qkNorm.q.backward(recorder, q, tokens);
      const k = { ...heads, weight: w.kNorm!, rstd: b.kRstd!, dWeight: dw.kNorm ?? null };
      nn.qkNorm.k.backward(recorder, k, tokens);
    }
    const qkv = { dx: g.norm, dWeight: dw.qkv ?? null, dBias: dw.qkvBias ?? null };
    nn.qkv.backward(recorder, { x: b.norm1, weight: w.qkv!, dy: g.qkv }, qkv, tokens);
    const norm1 = { x: b.input, weight: w.norm1!, rstd: b.rstd1, dWeight: dw.norm1 ?? null };
    nn.norm.backward(recorder, { ...norm1, ...norm }, tokens);
  }
}

type LayerWeights<M> = DecoderWeights<M>['layers'][number];
type LayerGradients<G> = DecoderGradients<G>['layers'][number];
type Layers = Awaited<ReturnType<typeof createLayers>>;

/** Compiles the kernels of what lies between the matrices. */
async function createLayers(gpu: Gpu, config: DecoderConfig, { frozen = false }: DecoderPlan) {
  const { hidden_size: hidden, head_dim: headDim } = config;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, rms_norm_eps: epsilon } = config;
  const qkvSize = (heads + 2 * kvHeads) * headDim;
  const headNorm = (count: number, base: number) =>
    RmsNorm.create(gpu, { size: headDim, epsilon, heads: count, stride: qkvSize, base, inPlace: true, frozen });
  const [rows, norm, rowNorm, rope, attention, swiglu, qkNorm] = await Promise.all([
    Gather.create(gpu, hidden, false),
    RmsNorm.create(gpu, { size: hidden, epsilon, frozen }),
    RmsNorm.create(gpu, { size: hidden, epsilon, inPlace: true, frozen }),
    Rope.create(gpu, { headDim, heads, kvHeads }),
    Attention.create(gpu, { heads, kvHeads, headDim }),
    Swiglu.create(gpu, config.intermediate_size),
    config.qk_norm
      ? Promise.all([headNorm(heads, 0), headNorm(kvHeads, heads * headDim)]).then(([q, k]) => ({ q, k }))
      : null,
  ]);
  return { rows, norm, rowNorm, rope, attention, swiglu, qkNorm };
}
