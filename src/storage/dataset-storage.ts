/** @file Data sets to fine-tune on, in IndexedDB by name: a record for the list, and the lines themselves, compressed. */
import { createStore, del, get, keys, set, values } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import * as v from 'valibot';
import { datasetName, parseDataset, writeDataset, type DistilledSample } from '../eval/distillation';
import { gunzipText, gzipText } from '../base/gzip';
import { describeStorageError } from './storage-error';

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const recordSchema = v.object({
  /** As a run's `cold_start_dataset` has it. */
  name: text(100),
  /** Milliseconds since 1970. */
  created: v.number(),
  samples: count,
  task: text(100),
  difficulty: count,
  /** Of the first sample. */
  teacher: text(1000),
});

export type DatasetRecord = v.InferOutput<typeof recordSchema>;

export class DatasetStorage {
  readonly #records: UseStore;
  readonly #lines: UseStore;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    // idb-keyval keeps one store a database.
    this.#records = createStore(`${name}-datasets`, 'datasets');
    this.#lines = createStore(`${name}-dataset-lines`, 'lines');
  }

  /** Newest first. */
  async list(): Promise<DatasetRecord[]> {
    const stored = await guard(() => values<unknown>(this.#records));
    return stored
      .flatMap((each) => {
        const parsed = v.safeParse(recordSchema, each);
        return parsed.success ? [parsed.output] : [];
      })
      .sort((a, b) => b.created - a.created);
  }

  /**
   * Keeps samples under a name, or a like one where that is taken; `replace` takes its place instead.
   * @throws Error with a message for the user: there are none, or the storage is full or closed
   */
  async save(wanted: string, samples: readonly DistilledSample[], replace = false): Promise<DatasetRecord> {
    const [first] = samples;
    if (!first) throw new Error('There is nothing to keep: no answer was accepted.');
    const taken = new Set((await guard(() => keys(this.#records))).map(String));
    const base = datasetName(wanted);
    let name = base;
    for (let n = 2; !replace && taken.has(name); n++) name = `${base}-${n}`;
    const { task, difficulty, teacher } = first;
    const record = { name, created: Date.now(), samples: samples.length, task, difficulty, teacher: teacher.model };
    const bytes = await gzipText(writeDataset(samples));
    // The lines first: what is listed is whole.
    await guard(() => set(name, bytes, this.#lines));
    await guard(() => set(name, record, this.#records));
    return record;
  }

  /** @throws Error with a message for the user: there is none of this name, or it is damaged */
  async load(name: string): Promise<DistilledSample[]> {
    const bytes = await guard(() => get<Uint8Array<ArrayBuffer>>(name, this.#lines));
    if (!bytes)
      throw new Error(`There is no data set “${name}” on this device. The Distil page makes and imports them.`);
    return parseDataset(await gunzipText(bytes)).samples;
  }

  async delete(name: string): Promise<void> {
    await guard(() => del(name, this.#records));
    await guard(() => del(name, this.#lines));
  }
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = describeStorageError(error);
    throw new Error(
      message
        .replace('Delete saved runs, or export this one to a file.', 'Delete data sets, runs or models, then go on.')
        .replace('Runs are not saved', 'Data sets are not saved'),
      { cause: error },
    );
  }
}
