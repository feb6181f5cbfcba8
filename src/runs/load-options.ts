/** @file How a large model is loaded onto the GPU. */
import type { InferenceOptions } from '../model/inference-plan';

export type LoadOptions = Pick<InferenceOptions, 'quant' | 'cache' | 'context'>;

/** Bytes of the stored weights that have been read, and of all. */
export interface LoadProgress {
  bytes: number;
  total: number;
}
