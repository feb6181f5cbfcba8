/**
 * @file Saved runs and imported models. A run's events are appended as compressed chunks of JSON lines and never
 * rewritten, so that saving a step costs the same at step 10 and at step 1,000. Each write is complete in itself: if the
 * page is closed at any moment, what was written is a run that can be opened and resumed.
 */
import type { RunConfig, RunEvent, StartedEvent } from '../runs/events';
import { parseEvents, serializeEvents } from '../runs/event-schema';
import { gunzipText, gzipText } from '../base/gzip';
import { upgradeConfig, upgradeModel } from '../runs/upgrade';
import { runName, uniqueName } from '../runs/names';
import { t } from '../i18n';
import { keysOf, Table } from './database';

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
  /** `open`: neither finished nor failed, so it is either running or was interrupted. */
  status: 'open' | 'finished' | 'failed';
  /** The latest `eval_accuracy`, shown in the list. */
  accuracy: number | null;
  /** Size of the compressed events. */
  bytes: number;
}

/** What a run's record learns from its events as they are appended. */
export type RunProgress = Partial<Pick<SavedRun, 'last_step' | 'status' | 'accuracy' | 'config'>>;

export class RunStorage {
  readonly #runs: Table<SavedRun>;
  readonly #events: Table<Uint8Array<ArrayBuffer>, [string, number]>;
  readonly #checkpoints: Table<Uint8Array, [string, number]>;
  readonly #models: Table<ReadonlyMap<string, Uint8Array>>;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    this.#runs = new Table({ database: `${name}-runs`, store: 'runs', of: 'runs' });
    this.#events = new Table({ database: `${name}-events`, store: 'events', of: 'runs' });
    this.#checkpoints = new Table({ database: `${name}-checkpoints`, store: 'checkpoints', of: 'runs' });
    this.#models = new Table({ database: `${name}-models`, store: 'models', of: 'models' });
  }

  /** Newest first. */
  async list(): Promise<SavedRun[]> {
    const runs = await this.#runs.values();
    return runs.map(upgraded).sort((a, b) => b.created - a.created);
  }

  async get(id: string): Promise<SavedRun | undefined> {
    const run = await this.#runs.get(id);
    return run && upgraded(run);
  }

  /**
   * All events of a run, in order.
   * @throws EventsError when what is stored can't be read
   */
  async events(id: string): Promise<RunEvent[]> {
    const texts: string[] = [];
    for (const chunk of await this.#events.values(keysOf(id))) texts.push(await gunzipText(chunk));
    return parseEvents(texts.join(''), { anyOrder: true });
  }

  /** Adds the record of a new run under an automatic name. A run that is already saved is marked as running again. */
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
    await this.#runs.change(id, (old) => (saved = old ? { ...old, config, status: 'open', updated: now } : fresh));
    return saved;
  }

  /** Appends events to a run as one chunk. @throws StorageError */
  async append(id: string, events: readonly RunEvent[], progress: RunProgress): Promise<void> {
    const bytes = await gzipText(serializeEvents(events));
    await this.#events.append(id, bytes);
    await this.#change(id, (run) => ({ ...run, ...progress, bytes: run.bytes + bytes.length }));
  }

  rename(id: string, name: string): Promise<void> {
    const trimmed = name.trim().slice(0, 200);
    if (!trimmed) return Promise.reject(new Error(t('storage:runs.nameMissing')));
    return this.#change(id, (run) => ({ ...run, name: trimmed }));
  }

  /** Removes a run with its events and checkpoints. */
  async delete(id: string): Promise<void> {
    await this.#runs.delete(id);
    await this.#events.delete(keysOf(id));
    await this.#checkpoints.delete(keysOf(id));
  }

  /** @throws StorageError */
  saveCheckpoint(id: string, step: number, bytes: Uint8Array): Promise<void> {
    return this.#checkpoints.set([id, step], bytes);
  }

  loadCheckpoint(id: string, step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#checkpoints.get([id, step]) as Promise<Uint8Array<ArrayBuffer> | undefined>;
  }

  /** The steps of a run that have a checkpoint, ascending. */
  async checkpointSteps(id: string): Promise<number[]> {
    const keys = await this.#checkpoints.keys(keysOf(id));
    return keys.map(([, step]) => step);
  }

  /** Saves an imported run under its own id, or a new one where that is taken. @throws StorageError */
  async importRun(events: readonly RunEvent[]): Promise<SavedRun> {
    const [started] = events;
    if (started?.type !== 'started') throw new Error(t('storage:runs.notARun'));
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

  /** Saves an imported model's files under a name. @throws StorageError */
  saveModel(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    return this.#models.set(name, files);
  }

  loadModel(name: string): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
    return this.#models.get(name);
  }

  modelNames(): Promise<string[]> {
    return this.#models.keys();
  }

  deleteModel(name: string): Promise<void> {
    return this.#models.delete(name);
  }

  /** A run that was deleted in the meantime stays deleted. */
  #change(id: string, change: (run: SavedRun) => SavedRun): Promise<void> {
    return this.#runs.change(id, (run) => run && { ...change(run), updated: Date.now() });
  }
}

/** A record with its config in today's form, whichever version wrote it. */
function upgraded(run: SavedRun): SavedRun {
  const config = upgradeConfig(run.config) as RunConfig;
  return { ...run, config, model: upgradeModel(run.model, config) };
}

/** What a run's record should say after these events. */
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
