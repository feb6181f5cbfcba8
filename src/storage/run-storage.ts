/**
 * @file Saved runs in IndexedDB. A run's events are appended as compressed chunks of JSON lines, never rewritten, so that
 * saving a step costs the same at step 10 and at step 1,000. Every write stands by itself: whatever moment the page is
 * closed at, what was written is a run that can be opened and gone on with.
 */
import { createStore, del, get, set, update } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import type { RunConfig, RunEvent, StartedEvent } from '../runs/events';
import { parseEvents, serializeEvents } from '../runs/event-schema';
import { gunzipText, gzipText } from '../base/gzip';
import { runName, uniqueName } from '../runs/names';
import { describeStorageError } from './storage-error';

export interface SavedRun {
  id: string;
  name: string;
  /** Milliseconds since 1970. */
  created: number;
  updated: number;
  config: RunConfig;
  model: StartedEvent['model'];
  device: StartedEvent['device'];
  last_step: number;
  /** `open`: neither finished nor failed; going on now, or broken off. */
  status: 'open' | 'finished' | 'failed';
  /** The last `eval_accuracy`, for the list. */
  accuracy: number | null;
  /** Of the events, as stored. */
  bytes: number;
}

/** What the metadata takes from events as they are appended. */
export type RunProgress = Partial<Pick<SavedRun, 'last_step' | 'status' | 'accuracy' | 'config'>>;

export class RunStorage {
  readonly #runs: UseStore;
  readonly #events: UseStore;
  readonly #checkpoints: UseStore;
  readonly #models: UseStore;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    // idb-keyval keeps one store a database.
    this.#runs = createStore(`${name}-runs`, 'runs');
    this.#events = createStore(`${name}-events`, 'events');
    this.#checkpoints = createStore(`${name}-checkpoints`, 'checkpoints');
    this.#models = createStore(`${name}-models`, 'models');
  }

  /** Newest first. */
  async list(): Promise<SavedRun[]> {
    const runs = await this.#runs('readonly', (store) => promise(store.getAll() as IDBRequest<SavedRun[]>));
    return runs.sort((a, b) => b.created - a.created);
  }

  get(id: string): Promise<SavedRun | undefined> {
    return get(id, this.#runs);
  }

  /**
   * All events of a run, in order.
   * @throws EventsError when what is stored can't be read
   */
  async events(id: string): Promise<RunEvent[]> {
    const chunks = await this.#events('readonly', (store) =>
      promise(store.getAll(keysOf(id)) as IDBRequest<Uint8Array[]>),
    );
    const texts: string[] = [];
    for (const chunk of chunks) texts.push(await gunzipText(chunk as Uint8Array<ArrayBuffer>));
    return parseEvents(texts.join(''));
  }

  /** Makes the record of a run, under an automatic name; for a run that is there already, marks it as going on. */
  async create(started: StartedEvent): Promise<SavedRun> {
    const { run_id: id, config, model, device } = started;
    const taken = (await this.list()).filter((run) => run.id !== id).map((run) => run.name);
    const now = Date.now();
    const fresh: SavedRun = {
      id,
      name: uniqueName(runName(config), taken),
      created: now,
      updated: now,
      config,
      model,
      device,
      last_step: 0,
      status: 'open',
      accuracy: null,
      bytes: 0,
    };
    let saved = fresh;
    await this.#guard(() =>
      update<SavedRun>(
        id,
        (old) => (saved = old ? { ...old, config, status: 'open', updated: now } : fresh),
        this.#runs,
      ),
    );
    return saved;
  }

  /**
   * Appends events to a run as one chunk.
   * @throws StorageFullError
   */
  async append(id: string, events: readonly RunEvent[], progress: RunProgress): Promise<void> {
    const bytes = await gzipText(serializeEvents(events));
    await this.#guard(() =>
      this.#events('readwrite', async (store) => {
        const keys = await promise(store.getAllKeys(keysOf(id)));
        const last = keys.at(-1) as [string, number] | undefined;
        await promise(store.put(bytes, [id, last ? last[1] + 1 : 0]));
        await committed(store.transaction);
      }),
    );
    await this.#change(id, (run) => ({ ...run, ...progress, bytes: run.bytes + bytes.length }));
  }

  rename(id: string, name: string): Promise<void> {
    const trimmed = name.trim().slice(0, 200);
    if (!trimmed) return Promise.reject(new Error('A run needs a name.'));
    return this.#change(id, (run) => ({ ...run, name: trimmed }));
  }

  /** Removes a run with its events and checkpoints. */
  async delete(id: string): Promise<void> {
    await del(id, this.#runs);
    for (const use of [this.#events, this.#checkpoints]) {
      await use('readwrite', (store) => {
        store.delete(keysOf(id));
        return committed(store.transaction);
      });
    }
  }

  /** @throws StorageFullError */
  async saveCheckpoint(id: string, step: number, bytes: Uint8Array): Promise<void> {
    await this.#guard(() => set([id, step], bytes, this.#checkpoints));
  }

  loadCheckpoint(id: string, step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return get([id, step], this.#checkpoints);
  }

  /** The steps of a run that have a checkpoint, ascending. */
  async checkpointSteps(id: string): Promise<number[]> {
    const keys = await this.#checkpoints('readonly', (store) => promise(store.getAllKeys(keysOf(id))));
    return keys.map((key) => (key as [string, number])[1]);
  }

  /** Saves an imported run under its own id, or a new one where that is taken. @throws StorageFullError */
  async importRun(events: readonly RunEvent[]): Promise<SavedRun> {
    const [started] = events;
    if (started?.type !== 'started') throw new Error('this is not a run');
    const id = (await this.get(started.run_id)) ? crypto.randomUUID() : started.run_id;
    const own = events.map((event) => (event.type === 'started' ? { ...event, run_id: id } : event));
    await this.create({ ...started, run_id: id });
    try {
      await this.append(id, own, progressOf(own));
    } catch (error) {
      await this.delete(id);
      throw error;
    }
    return (await this.get(id))!;
  }

  /** Keeps an imported model's files under a name. @throws StorageFullError */
  async saveModel(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.#guard(() => set(name, files, this.#models));
  }

  loadModel(name: string): Promise<Map<string, Uint8Array> | undefined> {
    return get(name, this.#models);
  }

  async modelNames(): Promise<string[]> {
    const keys = await this.#models('readonly', (store) => promise(store.getAllKeys()));
    return keys.map(String);
  }

  deleteModel(name: string): Promise<void> {
    return del(name, this.#models);
  }

  /** Atomic: a rename and an append at the same time both count. A run deleted meanwhile stays deleted. */
  async #change(id: string, change: (run: SavedRun) => SavedRun): Promise<void> {
    await this.#guard(() =>
      this.#runs('readwrite', async (store) => {
        const run = await promise(store.get(id) as IDBRequest<SavedRun | undefined>);
        if (run) store.put({ ...change(run), updated: Date.now() }, id);
        await committed(store.transaction);
      }),
    );
  }

  async #guard<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      throw describeStorageError(error);
    }
  }
}

/** What a run's record learns from its events. */
export function progressOf(events: readonly RunEvent[]): RunProgress {
  const progress: RunProgress = {};
  for (const event of events) {
    if (event.type === 'step') progress.last_step = event.step;
    if (event.type === 'interrupted') progress.last_step = event.resumes_from;
    if (event.type === 'eval') progress.accuracy = event.metrics.eval_accuracy ?? null;
    if (event.type === 'finished' || event.type === 'failed') progress.status = event.type;
    if (event.type === 'started') progress.status = 'open';
  }
  return progress;
}

/** All keys [id, number]. */
const keysOf = (id: string) => IDBKeyRange.bound([id, -Infinity], [id, Infinity]);

function promise<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}

/** Resolves when the transaction is on disk; a full quota shows only here. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('IndexedDB aborted'));
  });
}
