/**
 * @file Saved runs and imported models. A run's events are appended as compressed chunks of JSON lines and never
 * rewritten, so that saving a step costs the same at step 10 and at step 1,000. Each write is complete in itself: if the
 * page is closed at any moment, what was written is a run that can be opened and resumed.
 */
import * as v from 'valibot';
import { gunzipBeginning, gunzipText, gzipText } from '../base/gzip';
import { readJsonLines } from '../base/json-lines';
import { t } from '../i18n';
import type { RunConfig, RunEvent, StartedEvent } from '../runs/events';
import { parseEvent, parseEvents, runConfig, runDevice, runId, runModel, serializeEvents } from '../runs/event-schema';
import { runName, uniqueName } from '../runs/names';
import { upgradeModel } from '../runs/upgrade';
import { keysOf, Table, unreadableError } from './database';
import { bytesSchema, newestFirst, recordReader, type UnreadableRecord } from './records';
import { fileOf, UnreadableRecords, type Files } from './unreadable-records';

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

const count = v.pipe(v.number(), v.finite(), v.minValue(0));

/** A run's record, with its config in today's form, whichever version wrote it. */
const savedRun = v.pipe(
  v.object({
    id: runId,
    name: v.pipe(v.string(), v.maxLength(10_000)),
    created: count,
    updated: count,
    config: runConfig,
    model: runModel,
    device: runDevice,
    last_step: count,
    status: v.picklist(['open', 'finished', 'failed']),
    // A run that diverged may have none.
    accuracy: v.pipe(
      v.nullable(v.union([v.number(), v.nan()])),
      v.transform((accuracy) => (Number.isFinite(accuracy) ? accuracy : null)),
    ),
    bytes: count,
  }),
  v.transform((run): SavedRun => ({ ...run, model: upgradeModel(run.model, run.config) })),
);

const importedModel = v.pipe(
  v.map(v.string(), bytesSchema),
  v.transform((files): ReadonlyMap<string, Uint8Array> => files),
);

export class RunStorage {
  readonly #runs: Table<SavedRun>;
  readonly #events: Table<Uint8Array<ArrayBuffer>, [string, number]>;
  readonly #checkpoints: Table<Uint8Array<ArrayBuffer>, [string, number]>;
  readonly #models: Table<ReadonlyMap<string, Uint8Array>>;
  readonly unreadableRuns: UnreadableRecords;
  readonly unreadableModels: UnreadableRecords;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    const read = recordReader<Uint8Array<ArrayBuffer>>(bytesSchema);
    this.#runs = new Table({
      database: `${name}-runs`,
      store: 'runs',
      of: 'runs',
      read: recordReader(savedRun, 'id'),
    });
    this.#events = new Table({ database: `${name}-events`, store: 'events', of: 'runs', read });
    this.#checkpoints = new Table({ database: `${name}-checkpoints`, store: 'checkpoints', of: 'runs', read });
    this.#models = new Table({
      database: `${name}-models`,
      store: 'models',
      of: 'models',
      read: recordReader(importedModel),
    });
    this.unreadableRuns = new UnreadableRecords({
      of: 'runs',
      table: this.#runs,
      find: async () => [...(await this.#runs.entries()).unreadable, ...(await this.#withoutRecord())],
      belongings: (id) => this.#belongings(id),
      remove: (id) => this.delete(id),
    });
    this.unreadableModels = new UnreadableRecords({
      of: 'models',
      table: this.#models,
      find: async () => (await this.#models.entries()).unreadable,
      remove: (key) => this.#models.delete(key),
    });
  }

  /** Newest first. */
  async list(): Promise<SavedRun[]> {
    return newestFirst(await this.#runs.values());
  }

  /** @throws UnreadableError */
  get(id: string): Promise<SavedRun | undefined> {
    return this.#runs.get(id);
  }

  /**
   * All events of a run, in order.
   * @throws UnreadableError when part of what is stored can't be read; `readableEvents` gives the rest
   */
  async events(id: string): Promise<RunEvent[]> {
    const { readable, unreadable } = await this.#events.entries(keysOf(id));
    try {
      if (unreadable.length > 0) throw new Error(unreadable[0]!.reason);
      const texts: string[] = [];
      for (const { value } of readable) texts.push(await gunzipText(value));
      return parseEvents(texts.join(''), { anyOrder: true });
    } catch (error) {
      const empty = readable.length + unreadable.length === 0;
      const reason = t(empty ? 'storage:unreadable.noEvents' : 'storage:unreadable.damagedEvents');
      const { name } = (await this.get(id).catch(() => undefined)) ?? { name: id };
      throw unreadableError('runs', { key: id, name, reason }, error);
    }
  }

  /** The events of a run that can be read, in order; empty when its beginning can't. */
  async readableEvents(id: string): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for (const { value } of (await this.#events.entries(keysOf(id))).readable) {
      for (const line of readJsonLines(await gunzipBeginning(value))) {
        try {
          events.push(parseEvent(line.value));
        } catch {
          // A line that is cut, or no event.
        }
      }
    }
    try {
      return parseEvents(serializeEvents(events), { anyOrder: true });
    } catch {
      return [];
    }
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

  /**
   * Appends events to a run as one chunk. Either all of it is stored, or nothing; nothing is for a run that was deleted.
   * @throws StorageError
   */
  async append(id: string, events: readonly RunEvent[], progress: RunProgress): Promise<void> {
    if ((await this.#runs.keys(IDBKeyRange.only(id))).length === 0) return;
    const bytes = await gzipText(serializeEvents(events));
    const key = await this.#events.append(id, bytes);
    try {
      await this.#change(id, (run) => ({ ...run, ...progress, bytes: run.bytes + bytes.length }));
    } catch (error) {
      // Otherwise trying again would store these events twice. Deleting works on a full disk too.
      await this.#events.delete(key);
      throw error;
    }
  }

  rename(id: string, name: string): Promise<void> {
    const trimmed = name.trim().slice(0, 200);
    if (!trimmed) return Promise.reject(new Error(t('storage:runs.nameMissing')));
    return this.#change(id, (run) => ({ ...run, name: trimmed }));
  }

  /** Removes a run with its events and checkpoints. Its record goes last, so that a crash leaves nothing without one. */
  async delete(id: IDBValidKey): Promise<void> {
    if (typeof id === 'string') {
      await this.#checkpoints.delete(keysOf(id));
      await this.#events.delete(keysOf(id));
    }
    await this.#runs.delete(id);
  }

  /** @throws StorageError */
  saveCheckpoint(id: string, step: number, bytes: Uint8Array): Promise<void> {
    return this.#checkpoints.set([id, step], bytes as Uint8Array<ArrayBuffer>);
  }

  /** @throws UnreadableError */
  loadCheckpoint(id: string, step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#checkpoints.get([id, step]);
  }

  /** The steps of a run that have a checkpoint, ascending. */
  async checkpointSteps(id: string): Promise<number[]> {
    const keys = await this.#checkpoints.keys(keysOf(id));
    return keys.map(([, step]) => step).filter((step) => typeof step === 'number');
  }

  /** Saves an imported run under its own id, or a new one where that is taken. @throws StorageError */
  async importRun(events: readonly RunEvent[]): Promise<SavedRun> {
    const [started] = events;
    if (started?.type !== 'started') throw new Error(t('storage:runs.notARun'));
    // What is stored under that id is left alone, readable or not.
    const taken = [
      ...(await this.#runs.keys()).filter((key) => key === started.run_id),
      ...(await this.#events.keys(keysOf(started.run_id))),
    ];
    const id = taken.length > 0 ? crypto.randomUUID() : started.run_id;
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

  /** @throws UnreadableError */
  loadModel(name: string): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
    return this.#models.get(name);
  }

  async modelNames(): Promise<string[]> {
    return (await this.#models.keys()).filter((name) => typeof name === 'string');
  }

  deleteModel(name: string): Promise<void> {
    return this.#models.delete(name);
  }

  /** Runs of which only events are left. */
  async #withoutRecord(): Promise<UnreadableRecord[]> {
    const ids = new Set((await this.#events.keys()).map((key) => (Array.isArray(key) ? key[0] : key)));
    for (const id of await this.#runs.keys()) ids.delete(id);
    const reason = t('storage:unreadable.noEntry');
    return [...ids].filter((id) => typeof id === 'string').map((id) => ({ key: id, name: id, reason }));
  }

  /** The events of a run and its checkpoints, whatever state they are in. */
  async #belongings(id: IDBValidKey): Promise<Files> {
    const files: Files = new Map();
    if (typeof id !== 'string') return files;
    const events = await this.readableEvents(id);
    if (events.length > 0) files.set('events.jsonl', new TextEncoder().encode(serializeEvents(events)));
    const complete = await this.events(id).then(
      () => true,
      () => false,
    );
    for (const key of complete ? [] : await this.#events.keys(keysOf(id))) {
      files.set(...fileOf(`events-${key[1]}.jsonl.gz`, await this.#events.raw(key).catch(() => null)));
    }
    for (const key of await this.#checkpoints.keys(keysOf(id))) {
      const stored = await this.#checkpoints.raw(key).catch(() => null);
      files.set(...fileOf(`checkpoint-${key[1]}.safetensors`, stored));
    }
    return files;
  }

  /** A run that was deleted in the meantime stays deleted. */
  #change(id: string, change: (run: SavedRun) => SavedRun): Promise<void> {
    return this.#runs.change(id, (run) => run && { ...change(run), updated: Date.now() });
  }
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
