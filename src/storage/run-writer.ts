/**
 * @file Saves a run while it goes on. It must never be what stops a run: events are buffered and written in the
 * background, and when the storage is full the run goes on unsaved, which is said once.
 */
import { messageOf } from '../base/errors';
import type { RunEvent } from '../runs/events';
import { progressOf } from './run-storage';
import type { RunStorage } from './run-storage';

const EVENTS_PER_CHUNK = 8;
const LONGEST_WAIT_MS = 1000;

export class RunWriter {
  readonly #storage: Pick<RunStorage, 'create' | 'append'>;
  readonly #onProblem: (message: string) => void;
  /** In order; an event leaves when it is stored. A `started` in it says whose the events after it are. */
  #waiting: RunEvent[] = [];
  /** The run whose events are taken. */
  #current: string | null = null;
  /** The run whose events are being stored. */
  #storing: string | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #writing: Promise<void> | null = null;
  #stuck = false;

  /** @param onProblem told once when saving fails, and again only after a `retry` that failed */
  constructor(storage: Pick<RunStorage, 'create' | 'append'>, onProblem: (message: string) => void) {
    this.#storage = storage;
    this.#onProblem = onProblem;
  }

  /** Whether events reach the storage. */
  get saving(): boolean {
    return !this.#stuck;
  }

  /** Goes on with a run of which a beginning is stored: the next events are those that come after it. */
  goOn(runId: string): void {
    this.#current = this.#storing = runId;
  }

  /** Takes a run's next event; returns at once. Events before a `started` are not saved. */
  append(event: RunEvent): void {
    if (event.type === 'started') {
      if (this.#stuck && event.run_id !== this.#current) {
        // Another run: what its predecessor could not save is given up, and there may be room again.
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

  /** Writes what waits; resolves when it is stored or has failed. Never rejects. */
  flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#writing ??= this.#drain().finally(() => (this.#writing = null));
    return this.#writing;
  }

  /** Tries again after space was made; what could not be saved meanwhile was kept. True when all is stored. */
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
        const reason = messageOf(error);
        this.#onProblem(`This run is no longer being saved, but it goes on. ${reason}`);
      }
    }
  }
}

/** The first events of a queue, up to a `started` after the first: that may be of another run. */
function firstChunk(queue: readonly RunEvent[]): RunEvent[] {
  const chunk = queue.slice(0, EVENTS_PER_CHUNK);
  const next = chunk.findIndex((event, i) => i > 0 && event.type === 'started');
  return next < 0 ? chunk : chunk.slice(0, next);
}
