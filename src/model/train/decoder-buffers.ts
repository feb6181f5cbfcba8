/** @file The decoder's working memory, planned once for the largest micro-batch, and what it comes to before it is taken. */
import { matrixBlocks, matrixSize, type MatrixBlock } from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Gpu, Tensor } from '../../gpu/gpu';
import { scratchBytes } from '../../nn/train/linear';
import type { MatmulAdapter } from '../../nn/train/matmul';
import { rmsNormScratchBytes } from '../../nn/train/rms-norm';

export interface DecoderPlan {
  /** Tokens of the largest micro-batch. */
  maxTokens: number;
  /** Predicted tokens of the largest micro-batch. */
  maxRows: number;
  /** Longest sequence, prompt and completion. */
  maxPositions: number;
  /** Keep what the backward needs; without, all layers share one set of buffers. */
  training: boolean;
  /** Rows whose logits are kept at once; all when left out. */
  logitRows?: number;
  /** Whether none of its own weights learn: they need no scratch for gradients then. */
  frozen?: boolean;
}

/** f32, [tokens, …] */
export interface LayerBuffers {
  /** The residual stream before the layer, between attention and MLP, and after: distinct buffers only when training. */
  input: Tensor;
  middle: Tensor;
  output: Tensor;
  norm1: Tensor;
  rstd1: Tensor;
  /** QKV before QK-norm; the same buffer as `qkv` where the model has none. */
  rawQkv: Tensor;
  qkv: Tensor;
  qRstd?: Tensor;
  kRstd?: Tensor;
  attention: Tensor;
  lse: Tensor;
  norm2: Tensor;
  rstd2: Tensor;
  gateUp: Tensor;
  activation: Tensor;
}

export interface DecoderBuffers {
  layers: LayerBuffers[];
  /** [rows, …] */
  rowHidden: Tensor;
  rowNorm: Tensor;
  rowRstd: Tensor;
  rowLse: Tensor;
  logits: Tensor;
  linearScratch: Tensor;
  gradients: null | Record<
    'x' | 'norm' | 'activation' | 'gateUp' | 'attention' | 'qkv' | 'delta' | 'rowHidden' | 'normScratch',
    Tensor
  >;
}

type Allocate = (label: string, bytes: number) => Tensor;

export async function planBuffers(gpu: Gpu, config: DecoderConfig, plan: DecoderPlan): Promise<DecoderBuffers> {
  return gpu.allocating(() => layOut(config, plan, gpu, (label, bytes) => gpu.alloc(label, bytes)));
}

/** Bytes that `planBuffers` will take. */
export function decoderBytes(config: DecoderConfig, plan: DecoderPlan, adapter: MatmulAdapter): number {
  let total = 0;
  layOut(config, plan, adapter, (label, bytes) => {
    total += bytes;
    return { id: 0, label, buffer: null as never, offset: 0, size: bytes };
  });
  return total;
}

function layOut(config: DecoderConfig, plan: DecoderPlan, adapter: MatmulAdapter, allocate: Allocate): DecoderBuffers {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, num_hidden_layers: layerCount } = config;
  const { maxTokens, maxRows, training } = plan;
  const q = matrixSize(config, 'out').inFeatures;
  const qkv = matrixSize(config, 'qkv').outFeatures;
  const tokens = (label: string, width: number) => allocate(label, maxTokens * width * 4);
  const rows = (label: string, width: number) => allocate(label, maxRows * width * 4);

  const layer = (input: Tensor): LayerBuffers => {
    const qkvBuffer = tokens('qkv', qkv);
    return {
      input,
      middle: training ? tokens('residual', hidden) : input,
      output: training ? tokens('residual', hidden) : input,
      norm1: tokens('norm 1', hidden),
      rstd1: tokens('norm 1 scale', 1),
      rawQkv: config.qk_norm ? tokens('qkv before norm', qkv) : qkvBuffer,
      qkv: qkvBuffer,
      ...(config.qk_norm && { qRstd: tokens('q norm scale', heads), kRstd: tokens('k norm scale', kvHeads) }),
      attention: tokens('attention', q),
      lse: tokens('attention lse', heads),
      norm2: tokens('norm 2', hidden),
      rstd2: tokens('norm 2 scale', 1),
      gateUp: tokens('gate and up', 2 * intermediate),
      activation: tokens('activation', intermediate),
    };
  };
  const layers = [layer(tokens('residual', hidden))];
  while (layers.length < layerCount) layers.push(training ? layer(layers.at(-1)!.output) : layers[0]!);

  const linear = (block: MatrixBlock) =>
    scratchBytes(
      { ...matrixSize(config, block), bias: block === 'qkv' && config.qkv_bias, maxRows: maxTokens },
      adapter,
    );
  const denseScratch = Math.max(
    ...matrixBlocks.map(linear),
    scratchBytes({ inFeatures: hidden, outFeatures: vocab, bias: false, maxRows }, adapter),
  );
  const normScratch = Math.max(
    rmsNormScratchBytes(Math.max(maxTokens, maxRows), hidden),
    config.qk_norm ? rmsNormScratchBytes(maxTokens * heads, headDim) : 0,
  );
  return {
    layers,
    rowHidden: rows('predicting hidden states', hidden),
    rowNorm: rows('final norm', hidden),
    rowRstd: rows('final norm scale', 1),
    rowLse: rows('logits lse', 1),
    logits: allocate('logits', Math.min(plan.logitRows ?? maxRows, maxRows) * vocab * 4),
    linearScratch: allocate('linear scratch', plan.frozen ? 16 : denseScratch),
    gradients: training
      ? {
          x: tokens('residual gradient', hidden),
          norm: tokens('norm gradient', hidden),
          activation: tokens('activation gradient', intermediate),
          gateUp: tokens('gate and up gradient', 2 * intermediate),
          attention: tokens('attention gradient', q),
          qkv: tokens('qkv gradient', qkv),
          delta: tokens('attention delta', heads),
          rowHidden: rows('predicting hidden states gradient', hidden),
          normScratch: allocate('norm scratch', normScratch),
        }
      : null,
  };
}
