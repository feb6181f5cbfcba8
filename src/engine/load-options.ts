/** @file How a large model is loaded onto the GPU. */
import type { InferenceOptions } from '../model/infer/inference-plan';
import type { ColdStartProgress } from '../rl/cold-start';

export type LoadOptions = Pick<InferenceOptions, 'quant' | 'cache' | 'context'> & {
  /** Added to the weights as they are loaded. */
  adapter?: ChosenAdapter;
};

/** A PEFT folder of the user's. */
export interface ChosenAdapter {
  /** For people, and to tell it from others. */
  name: string;
  files: readonly File[];
}

/** What goes before a run's first step: weights are read, updates of its cold start are made. */
export type PrepareProgress = LoadProgress | ColdStartProgress;

/** Bytes of the stored weights that have been read, and of all. */
export interface LoadProgress {
  bytes: number;
  total: number;
}
