/**
 * @file Saves a run while it goes on. It must never be what stops a run: events are buffered and written in the
 * background, and when the storage is full the run goes on unsaved, which is said once.
 */
import type { RunEvent } from './events';
import { progressOf } from './storage';
import type { RunStorage } from './storage';

const EVENTS_PER_CHUNK = 8;
const LONGEST_WAIT_MS = 1000;

export class RunWriter {
  readonly #storage: Pick<RunStorage, 'create' | 'append'>;
  readonly #onProblem: (message: string) => void;
  #runId: string | null = null;
  #waiting: RunEvent[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #writing: Promise<void> = Promise.resolve();
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

  /** Takes a run's next event; returns at once. Events before a `started` are not saved. */
  append(event: RunEvent): void {
    if (event.type === 'started') {
      void this.flush();
      if (event.run_id !== this.#runId) {
        // Another run: what its predecessor could not save is given up, and there may be room again.
        this.#waiting = [];
        this.#stuck = false;
      }
      this.#runId = event.run_id;
    }
    if (this.#runId === null) return;
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
    const id = this.#runId;
    const events = this.#waiting;
    if (id === null || events.length === 0 || this.#stuck) return this.#writing;
    this.#waiting = [];
    this.#writing = this.#writing.then(() => this.#write(id, events));
    return this.#writing;
  }

  /** Tries again after space was made; what could not be saved meanwhile was kept. True when all is stored. */
  async retry(): Promise<boolean> {
    this.#stuck = false;
    await this.flush();
    return this.saving;
  }

  async #write(id: string, events: RunEvent[]): Promise<void> {
    if (this.#stuck) {
      this.#waiting = [...events, ...this.#waiting];
      return;
    }
    try {
      for (const event of events) if (event.type === 'started') await this.#storage.create(event);
      await this.#storage.append(id, events, progressOf(events));
    } catch (error) {
      this.#stuck = true;
      this.#waiting = [...events, ...this.#waiting];
      const reason = error instanceof Error ? error.message : String(error);
      this.#onProblem(`This run is no longer being saved, but it goes on. ${reason}`);
    }
  }
}
