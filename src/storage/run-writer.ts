/**
 * @file Saves a run while it is running. Saving must never stop a run: events are buffered and written in the background,
 * and when the storage is full the run continues without being saved, which is reported once.
 */
import { t } from '../i18n';
import { messageOf } from '../base/errors';
import type { RunEvent } from '../runs/events';
import { progressOf } from './run-storage';
import type { RunStorage } from './run-storage';

const EVENTS_PER_CHUNK = 8;
const LONGEST_WAIT_MS = 1000;

export class RunWriter {
  readonly #storage: Pick<RunStorage, 'create' | 'append'>;
  readonly #onProblem: (message: string) => void;
  /** Events that are not stored yet, in order. Those after a `started` event belong to the run that it names. */
  #waiting: RunEvent[] = [];
  /** The run whose events are arriving. */
  #current: string | null = null;
  /** The run whose events are being stored. */
  #storing: string | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #writing: Promise<void> | null = null;
  #stuck = false;

  /** @param onProblem called once when saving fails, and again only when a `retry` fails too */
  constructor(storage: Pick<RunStorage, 'create' | 'append'>, onProblem: (message: string) => void) {
    this.#storage = storage;
    this.#onProblem = onProblem;
  }

  /** Whether events reach the storage. */
  get saving(): boolean {
    return !this.#stuck;
  }

  /** Continues a run whose first events are already stored. */
  goOn(runId: string): void {
    this.#current = this.#storing = runId;
  }

  /** Queues a run's next event and returns at once. Events before the first `started` are not saved. */
  append(event: RunEvent): void {
    if (event.type === 'started') {
      if (this.#stuck && event.run_id !== this.#current) {
        // A new run: give up on what the previous one could not save, and try again in case there is space now.
        this.#waiting = [];
        this.#stuck = false;
      }
      this.#current = event.run_id;
    }
    if (this.#current === null) return;
    this.#waiting.push(event);
    if (this.#stuck) return;
    const urgent = event.type !== 'step' && event.type !== 'eval' && event.type !== 'changed';
    if (urgent || this.#waiting.length >= EVENTS_PER_CHUNK) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), LONGEST_WAIT_MS);
  }

  /** Writes what is queued; resolves when it is stored or has failed. Never rejects. */
  flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#writing ??= this.#drain().finally(() => (this.#writing = null));
    return this.#writing;
  }

  /** Tries again, with all that could not be saved since. True when everything is stored. */
  async retry(): Promise<boolean> {
    this.#stuck = false;
    await this.flush();
    return this.saving;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stuck) {
      const queue = this.#waiting;
      const chunk = firstChunk(queue);
      try {
        if (chunk[0]!.type === 'started') this.#storing = (await this.#storage.create(chunk[0]!)).id;
        await this.#storage.append(this.#storing!, chunk, progressOf(chunk));
        queue.splice(0, chunk.length);
      } catch (error) {
        this.#stuck = true;
        this.#onProblem(t('storage:runs.savingStopped', { reason: messageOf(error) }));
      }
    }
  }
}

/** The first events of a queue, up to the next `started` event, which may belong to another run. */
function firstChunk(queue: readonly RunEvent[]): RunEvent[] {
  const chunk = queue.slice(0, EVENTS_PER_CHUNK);
  const next = chunk.findIndex((event, i) => i > 0 && event.type === 'started');
  return next < 0 ? chunk : chunk.slice(0, next);
}
