/** @file The kernels of an `InferenceModel`, compiled once for each kind of weights that the model has. */
import { matrixSize } from '../../formats/hf/architecture';
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Gpu } from '../../gpu/gpu';
import { DecodeAttention } from '../../nn/infer/decode-attention';
import { GEMV_MAX_TOKENS } from '../../nn/infer/gemv';
import { QkvWrite } from '../../nn/infer/kv-cache';
import type { PackedMatrix, WeightKind } from '../../nn/infer/packed';
import { PackedGather } from '../../nn/infer/packed-gather';
import { PackedLinear, type PackedLinearOptions } from '../../nn/infer/packed-linear';
import { PrefillAttention } from '../../nn/infer/prefill-attention';
import { Swiglu } from '../../nn/train/swiglu';
import type { InferencePlan } from './inference-plan';
import type { PackedParameters } from './packed-parameters';

/** A linear layer whose matrices may be of several kinds. */
export type LinearByKind = ReadonlyMap<WeightKind, PackedLinear>;

export interface InferenceLayers {
  embedding: PackedGather;
  qkv: LinearByKind;
  out: LinearByKind;
  /** With SiLU, where gates and ups lie in one buffer; else both to `work.wide` first. */
  gateUp: LinearByKind;
  gateUpApart: LinearByKind;
  swiglu: Swiglu | null;
  down: LinearByKind;
  /** The final norm and the logits. */
  head: PackedLinear;
  write: QkvWrite;
  prefillAttention: PrefillAttention;
  decodeAttention: DecodeAttention;
}

/** Whether gates and ups lie in one buffer, so that one kernel can make both and multiply them. */
export const isTogether = (gateUp: readonly PackedMatrix[]): boolean =>
  gateUp.length === 1 && gateUp[0]!.parts.length === 1;

export async function createInferenceLayers(
  gpu: Gpu,
  config: DecoderConfig,
  plan: InferencePlan,
  weights: PackedParameters,
): Promise<InferenceLayers> {
  const { hidden_size: hidden, intermediate_size: intermediate, head_dim: headDim, vocab_size: vocab } = config;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads, rms_norm_eps: epsilon } = config;
  const { context: capacity, slots, prefillTokens, cache } = plan;
  const kinds = (pick: (layer: PackedParameters['layers'][number]) => readonly PackedMatrix[]): WeightKind[] => [
    ...new Set(weights.layers.flatMap((layer) => pick(layer).map(({ kind }) => kind))),
  ];
  // On emulated GPUs, kernels for more tokens take long to compile, and the matrix product can do it too.
  const mostAtOnce = gpu.isSoftware ? 2 : GEMV_MAX_TOKENS;
  const gemvTokens = slots <= mostAtOnce ? [1, slots] : [1];
  const tokens = { maxTokens: Math.max(prefillTokens, slots), gemvTokens };
  const linears = async (list: WeightKind[], options: Omit<PackedLinearOptions, 'kind' | keyof typeof tokens>) =>
    new Map(
      await Promise.all(
        list.map(async (kind) => [kind, await PackedLinear.create(gpu, { kind, ...options, ...tokens })] as const),
      ),
    );
  const norm = { epsilon };
  const attention = { heads, kvHeads, headDim, cache, qkNorm: config.qk_norm ? { epsilon } : undefined };
  const [embedding, qkv, out, gateUp, gateUpApart, swiglu, down, head, write, prefillAttention, decodeAttention] =
    await Promise.all([
      PackedGather.create(gpu, { kind: weights.embedding.kind, columns: hidden }),
      linears(
        kinds((layer) => layer.qkv),
        { ...matrixSize(config, 'qkv'), norm, bias: config.qkv_bias },
      ),
      linears(
        kinds((layer) => layer.out),
        { ...matrixSize(config, 'out'), accumulate: true },
      ),
      linears(
        kinds(({ gateUp }) => (isTogether(gateUp) ? gateUp : [])),
        { inFeatures: hidden, outFeatures: intermediate, norm, activation: 'swiglu' },
      ),
      linears(
        kinds(({ gateUp }) => (isTogether(gateUp) ? [] : gateUp)),
        { ...matrixSize(config, 'gateUp'), norm },
      ),
      weights.layers.every(({ gateUp }) => isTogether(gateUp)) ? null : Swiglu.create(gpu, intermediate),
      linears(
        kinds((layer) => layer.down),
        { ...matrixSize(config, 'down'), accumulate: true },
      ),
      PackedLinear.create(gpu, {
        kind: weights.head.kind,
        inFeatures: hidden,
        outFeatures: vocab,
        norm,
        maxTokens: slots,
        gemvTokens: tokens.gemvTokens,
      }),
      QkvWrite.create(gpu, attention),
      PrefillAttention.create(gpu, attention),
      DecodeAttention.create(gpu, { ...attention, capacity, maxSlots: slots }),
    ]);
  return { embedding, qkv, out, gateUp, gateUpApart, swiglu, down, head, write, prefillAttention, decodeAttention };
}
