/** @file How a model is loaded onto the GPU to chat with. */
import type { InferenceOptions } from '../model/infer/inference-plan';

/** For models on packed weights; the one-dispatch decoder has nothing to choose. */
export type LoadOptions = Pick<InferenceOptions, 'quant' | 'cache' | 'context'> & {
  /** Added to the weights as they are loaded. */
  adapter?: ChosenAdapter;
};

/** A PEFT folder that the user chose. */
export interface ChosenAdapter {
  /** For people, and to tell it from others. */
  name: string;
  files: readonly File[];
}

/** Bytes of the stored weights that have been read, and of all. */
export interface LoadProgress {
  bytes: number;
  total: number;
}
