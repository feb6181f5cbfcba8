/** @file What GRPO needs to know of the parameters that learn: their values, and how to put saved ones back. */
import type { FloatTensor } from '../formats/hf/safetensors';
import type { AdapterOrigin, Checkpoint } from './checkpoint';
import type { RunConfig } from './config';

export interface LearnedParameters {
  /** The adapters that learn; null when all weights do. */
  readonly adapter: AdapterOrigin | null;
  /** Current values, under the names that Hugging Face or PEFT gives them. */
  values(): Promise<FloatTensor[]>;
  /** Values of the frozen reference model where it has a copy of its own; otherwise empty. */
  referenceValues(): Promise<FloatTensor[]>;
  /** @throws Error when the checkpoint is not one of this model; nothing has changed then */
  restore(checkpoint: Checkpoint): void;
  /** The supervised start's learning rate. */
  sftLearningRate(config: RunConfig): number;
  /** Called once after the supervised start: from here on, the KL term pulls back to these values. */
  startReinforcement(): void;
}
