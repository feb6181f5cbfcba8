/** @file The working memory of an `InferenceModel`. */
import type { DecoderConfig } from '../../formats/hf/hf-config';
import { slice, type Gpu, type Tensor } from '../../gpu/gpu';
import { cacheBytes } from '../../nn/infer/kv-cache';
import { cacheShape, DECODE_STEPS, workBytes, type InferencePlan, type WorkBuffer } from './inference-plan';

export interface InferenceBuffers {
  /** f32, `workBytes` long; see there. */
  work: Record<WorkBuffer, Tensor>;
  /** One entry per layer. */
  caches: { keys: Tensor; values: Tensor }[];
  /** u32 ids of a chunk of a prompt. */
  ids: Tensor;
  /** u32 and f32 [rows, head_dim / 2, 2] of the tokens that are computed together or one after another. */
  positions: Tensor;
  rope: Tensor;
  /** One slot's keys or values of a layer on their way to the others; null where there is only one slot. */
  shared: Tensor | null;
}

/** @throws OutOfMemoryError */
export function allocateInference(gpu: Gpu, config: DecoderConfig, plan: InferencePlan): Promise<InferenceBuffers> {
  return gpu.allocating(() => {
    const work = Object.fromEntries(
      Object.entries(workBytes(config, plan)).map(([name, bytes]) => [name, gpu.alloc(name, bytes)]),
    ) as Record<WorkBuffer, Tensor>;
    const bytes = cacheBytes(plan.cache, cacheShape(config, plan));
    const caches = Array.from({ length: config.num_hidden_layers }, (_, layer) => ({
      keys: gpu.alloc(`keys ${layer}`, bytes),
      values: gpu.alloc(`values ${layer}`, bytes),
    }));
    const rows = Math.max(plan.prefillTokens, DECODE_STEPS * plan.slots);
    return {
      work,
      caches,
      ids: gpu.alloc('prompt tokens', 4 * plan.prefillTokens),
      positions: gpu.alloc('positions', 4 * rows),
      rope: gpu.alloc('rope', 4 * rows * config.head_dim),
      shared: plan.slots > 1 ? gpu.alloc('shared keys', bytes / plan.slots) : null,
    };
  });
}

/** One line of a tensor [rows, columns] of f32, to copy from. */
export const line = (tensor: Tensor, row: number, columns: number): Tensor =>
  slice(tensor, 4 * row * columns, 4 * columns);
