/** @file What makes a run: the local engine, a GPU server, or a recording. The page and the CLI know nothing else. */
import type { LiveConfig } from '../rl/config';
import type { OpenChatModel } from './chat-model';
import type { RunConfig, RunEvent } from './events';

/** Where a run stands, beyond what its events say. */
export type RunStatus =
  /** Weights are being read: bytes of the stored weights so far, and of all. */
  | { kind: 'loading'; bytes: number; total: number }
  /** Updates of the supervised start. */
  | { kind: 'sft'; update: number; updates: number }
  /** A run elsewhere, as its server reports it. */
  | { kind: 'remote'; state: 'starting' | 'running' | 'paused' | 'finished' | 'failed' | 'stopped'; step: number };

export interface RunObserver {
  /** Called with the run's events, in order. */
  event(event: RunEvent): void;
  /** Called when the status changes between events. */
  status?(status: RunStatus): void;
  /** Called with a sentence when something went wrong that doesn't stop the run. */
  warning?(message: string): void;
  /** Called with a sentence when the connection to a run elsewhere is lost and being retried, and with null when it is back. */
  disconnected?(reason: string | null): void;
  /** Called when a run elsewhere can no longer be watched. The run itself may well go on. */
  lost?(error: unknown): void;
}

export interface Trainer {
  /**
   * Loads the model, evaluates it (step 0) and waits, paused. Resolves when the run is ready; rejects with a message for
   * the user when the config can't run. With `resume`, the run continues after the step of that saved checkpoint.
   */
  start(config: RunConfig, observer: RunObserver, resume?: Resume): Promise<void>;
  /** Continues until max_steps, `pause` or `stop`. */
  resume(): void | Promise<void>;
  /** Stops after the step in progress; resolves when it has. */
  pause(): Promise<void>;
  /** Runs one step while paused; resolves when its event has been sent. */
  step(): Promise<void>;
  /** Ends the run with a `finished` event and frees the device. */
  stop(): Promise<void>;
  /** Stops watching a run that continues elsewhere; absent where nobody else would continue it. */
  detach?(): void;
  /** Takes effect at the next step; recorded as a `changed` event. */
  update(change: LiveConfig): void | Promise<void>;
  /** The trained model as files by path: a Hugging Face folder, or a PEFT folder where adapters learn. */
  exportModel(): Promise<Map<string, Uint8Array>>;
  /** The model at the start of the run or as it is now, to chat with while the run is paused; absent where it is not here. */
  openChatModel?(weights: 'start' | 'current'): Promise<OpenChatModel>;
}

export interface Resume {
  run_id: string;
  step: number;
}
