/** @file What makes a run: the local engine, a GPU server, or a recording. The UI and the CLI know nothing else. */
import type { LiveConfig } from '../rl/config';
import type { RunConfig, RunEvent } from './events';

export interface Trainer {
  /**
   * Loads the model, evaluates it (step 0) and waits, paused. Events of this run go to `onEvent`, in order.
   * Resolves when the run is ready; rejects with a message for the user when the config can't run.
   * With `resume`, the run goes on after the step of that saved checkpoint.
   */
  start(config: RunConfig, onEvent: (event: RunEvent) => void, resume?: Resume): Promise<void>;
  /** Goes on until max_steps, `pause` or `stop`. */
  resume(): void | Promise<void>;
  /** Stops after the step under way; resolves when it has. */
  pause(): Promise<void>;
  /** Runs one step while paused; resolves when its event has been sent. */
  step(): Promise<void>;
  /** Ends the run with a `finished` event and frees the device. */
  stop(): Promise<void>;
  /** Looks away from a run that lives elsewhere and goes on there; absent where nobody else would go on with it. */
  detach?(): void;
  /** Takes effect at the next step; recorded as a `changed` event. */
  update(change: LiveConfig): void | Promise<void>;
  /** The current weights as the files of a Hugging Face model folder. */
  exportModel(): Promise<Map<string, Uint8Array>>;
}

export interface Resume {
  run_id: string;
  step: number;
}
