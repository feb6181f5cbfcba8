/**
 * @file A decoder for inference on packed weights: prompts in chunks through matrix products, then tokens one after
 * another through matrix–vector products, at most six dispatches a layer, sampled on the GPU. Buffers are allocated once.
 *
 * One token's way through a layer: norm and q, k, v | q- and k-norm, rotation, cache write and attention | (combine) |
 * out, added to the stream | norm, gate and up, SiLU | down, added to the stream.
 */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import type { Model } from '../../formats/model';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';
import type { Recorder } from '../../gpu/recorder';
import { ropeFrequencies, ropeTable } from '../../nn/rope';
import { cacheBytes } from '../../nn/infer/kv-cache';
import type { PackedMatrix } from '../../nn/infer/packed';
import { allocateInference, line, type InferenceBuffers } from './inference-buffers';
import { createInferenceLayers, isTogether, type InferenceLayers, type LinearByKind } from './inference-layers';
import { cacheShape, type InferencePlan } from './inference-plan';
import { mergeAdapter } from '../lora/lora-merge';
import {
  freePackedParameters,
  loadPackedParameters,
  type LoadProgress,
  type PackedLayer,
  type PackedParameters,
} from './packed-parameters';

export class InferenceModel {
  private readonly frequencies: Float32Array;

  private constructor(
    readonly gpu: Gpu,
    readonly config: DecoderConfig,
    readonly plan: InferencePlan,
    readonly weights: PackedParameters,
    readonly layers: InferenceLayers,
    readonly buffers: InferenceBuffers,
  ) {
    this.frequencies = ropeFrequencies(config);
  }

  /**
   * Streams a model's weights onto the GPU, adds its adapter and compiles its kernels.
   * @throws OutOfMemoryError with the number of bytes; AbortError
   */
  static async load(
    gpu: Gpu,
    model: Pick<Model, 'config' | 'tensors' | 'bytes' | 'adapter'>,
    plan: InferencePlan,
    onProgress?: LoadProgress,
    signal?: AbortSignal,
  ): Promise<InferenceModel> {
    const { config, adapter } = model;
    const buffers = await allocateInference(gpu, config, plan);
    const stored = await loadPackedParameters(gpu, model, plan.weights, onProgress, signal);
    const weights = adapter ? await mergeAdapter(gpu, config, stored, adapter) : stored;
    const layers = await createInferenceLayers(gpu, config, plan, weights);
    return new InferenceModel(gpu, config, plan, weights, layers, buffers);
  }

  /** Over weights that are there already. */
  static async of(
    gpu: Gpu,
    config: DecoderConfig,
    plan: InferencePlan,
    weights: PackedParameters,
  ): Promise<InferenceModel> {
    const buffers = await allocateInference(gpu, config, plan);
    const layers = await createInferenceLayers(gpu, config, plan, weights);
    return new InferenceModel(gpu, config, plan, weights, layers, buffers);
  }

  /**
   * Computes a piece of a prompt: its keys and values go to a slot's cache, its residual stream to `work.stream`
   * [tokens, hidden]. Positions must follow those that the slot holds, and stay below the context.
   * @param ids 1 to `plan.prefillTokens`
   */
  recordPrefill(recorder: Recorder, ids: readonly number[], firstPosition: number, slot = 0): void {
    const { gpu, layers, buffers, plan, weights } = this;
    const tokens = ids.length;
    if (tokens > plan.prefillTokens || firstPosition + tokens > plan.context) {
      throw new RangeError(`${tokens} tokens at position ${firstPosition} are more than was planned for`);
    }
    gpu.write(buffers.ids, Uint32Array.from(ids));
    this.place(Uint32Array.from(ids, (_, i) => firstPosition + i));
    const { work } = buffers;
    layers.embedding.record(recorder, { ids: buffers.ids, weight: weights.embedding, y: work.stream }, tokens);
    this.recordLayers(recorder, tokens, (w, { keys, values }) => {
      const norms = { qNorm: w.qNorm, kNorm: w.kNorm };
      const span = { tokens, capacity: plan.context, firstSlot: slot };
      const { positions, rope } = buffers;
      layers.write.record(recorder, { qkv: work.qkv, keys, values, positions, rope, ...norms }, span);
      const attended = { tokens, firstPosition, capacity: plan.context, slot };
      layers.prefillAttention.record(recorder, { qkv: work.qkv, keys, values, out: work.attention }, attended);
    });
  }

  /**
   * The logits of rows of `work.stream`, as many as there are slots at most, to `work.logits`.
   * @param options.repeat of one row, `rows` times
   */
  recordLogits(recorder: Recorder, firstRow: number, rows: number, options: { repeat?: boolean } = {}): void {
    for (let row = 0; row < rows; row++) this.recordLast(recorder, firstRow + (options.repeat ? 0 : row), row);
    this.recordHead(recorder, rows);
  }

  /** Keeps a row of `work.stream` as a slot's last one, for `recordHead`. */
  recordLast(recorder: Recorder, row: number, slot: number): void {
    const { stream, last } = this.buffers.work;
    const hidden = this.config.hidden_size;
    recorder.copy(line(stream, row, hidden), line(last, slot, hidden));
  }

  /** The logits of the first slots' last rows, to `work.logits`. */
  recordHead(recorder: Recorder, slots: number): void {
    const { layers, weights } = this;
    const { last, logits } = this.buffers.work;
    const tensors = { x: last, weight: weights.head, norm: weights.finalNorm, y: logits, scratch: this.buffers.work };
    layers.head.forward(recorder, tensors, slots);
  }

  /** Uploads what `recordDecode` needs for steps in which each slot's position grows from `first`, or its own of them. */
  placeSteps(first: number | readonly number[], steps: number): void {
    const { slots } = this.plan;
    const at = (row: number) => (typeof first === 'number' ? first : first[row % slots]!) + Math.floor(row / slots);
    this.place(Uint32Array.from({ length: steps * slots }, (_, row) => at(row)));
  }

  /**
   * One more token for every slot, and the logits after it: its keys and values go to the cache.
   * @param ids u32, the slots' tokens from `firstId` on
   * @param step which of those placed by `placeSteps`
   * @param position the tokens', or the largest of them
   */
  recordDecode(recorder: Recorder, ids: Tensor, firstId: number, step: number, position: number): void {
    const { layers, buffers, plan, weights } = this;
    const { slots } = plan;
    const { work, positions, rope } = buffers;
    layers.embedding.record(recorder, { ids, weight: weights.embedding, y: work.stream }, slots, firstId);
    this.recordLayers(recorder, slots, (w, { keys, values }) => {
      layers.decodeAttention.record(
        recorder,
        {
          qkv: work.qkv,
          keys,
          values,
          positions,
          rope,
          qNorm: w.qNorm,
          kNorm: w.kNorm,
          partials: work.partials,
          out: work.attention,
        },
        { slots, firstRow: step * slots, longest: position + 1 },
      );
    });
    const head = { x: work.stream, weight: weights.head, norm: weights.finalNorm, y: work.logits, scratch: work };
    layers.head.forward(recorder, head, slots);
  }

  /** Copies what slot 0's cache holds to every other slot. */
  recordShare(recorder: Recorder): void {
    const { slots } = this.plan;
    const { caches, shared } = this.buffers;
    if (!shared) return;
    const bytes = cacheBytes(this.plan.cache, { ...cacheShape(this.config, this.plan), slots: 1 });
    for (const { keys, values } of caches) {
      for (const tensor of [keys, values]) {
        // Through another buffer, because WebGPU can't copy within one.
        recorder.copy(slice(tensor, 0, bytes), shared);
        for (let slot = 1; slot < slots; slot++) {
          recorder.copy(shared, slice(tensor, slot * bytes, bytes), bytes);
        }
      }
    }
  }

  private recordLayers(
    recorder: Recorder,
    tokens: number,
    attend: (weights: PackedLayer, cache: { keys: Tensor; values: Tensor }) => void,
  ): void {
    const { layers, buffers } = this;
    const { stream, qkv, attention, activation, wide } = buffers.work;
    const scratch = buffers.work;
    const through = (linears: LinearByKind, weight: PackedMatrix, rest: LinearRest) =>
      linears.get(weight.kind)!.forward(recorder, { weight, scratch, ...rest }, tokens);
    this.weights.layers.forEach((w, layer) => {
      for (const weight of w.qkv) {
        through(layers.qkv, weight, { x: stream, norm: w.norm1, y: qkv, bias: w.qkvBias });
      }
      attend(w, buffers.caches[layer]!);
      through(layers.out, w.out[0]!, { x: attention, y: stream });
      if (isTogether(w.gateUp)) {
        through(layers.gateUp, w.gateUp[0]!, { x: stream, norm: w.norm2, y: activation });
      } else {
        for (const weight of w.gateUp) through(layers.gateUpApart, weight, { x: stream, norm: w.norm2, y: wide });
        layers.swiglu!.forward(recorder, wide, activation, tokens);
      }
      through(layers.down, w.down[0]!, { x: activation, y: stream });
    });
  }

  /** Gives the memory back. */
  free(): void {
    const { work, caches, ids, positions, rope, shared } = this.buffers;
    freePackedParameters(this.gpu, this.weights);
    this.gpu.free(
      ...Object.values(work),
      ...caches.flatMap(({ keys, values }) => [keys, values]),
      ids,
      positions,
      rope,
      ...(shared ? [shared] : []),
    );
  }

  private place(positions: Uint32Array<ArrayBuffer>): void {
    this.gpu.write(this.buffers.positions, positions);
    this.gpu.write(this.buffers.rope, ropeTable(positions, this.frequencies));
  }
}

interface LinearRest {
  x: Tensor;
  y: Tensor;
  norm?: Tensor | undefined;
  bias?: Tensor | undefined;
}
