/** @file Data sets for fine-tuning, by name: a short record for the list, and the samples as compressed JSON lines. */
import * as v from 'valibot';
import { datasetName, parseDataset, writeDataset, type DistilledSample } from '../eval/distillation';
import { gunzipText, gzipText } from '../base/gzip';
import { t } from '../i18n';
import { Table } from './database';
import { newestFirst } from './records';

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const recordSchema = v.object({
  /** What a run's `cold_start_dataset` refers to. */
  name: text(100),
  /** Milliseconds since 1970. */
  created: v.number(),
  samples: count,
  task: text(100),
  difficulty: count,
  /** The teacher of the first sample. */
  teacher: text(1000),
});

export type DatasetRecord = v.InferOutput<typeof recordSchema>;

export class DatasetStorage {
  readonly #records: Table<unknown>;
  readonly #lines: Table<Uint8Array<ArrayBuffer>>;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    this.#records = new Table({ database: `${name}-datasets`, store: 'datasets', of: 'dataSets' });
    this.#lines = new Table({ database: `${name}-dataset-lines`, store: 'lines', of: 'dataSets' });
  }

  /** Newest first. */
  async list(): Promise<DatasetRecord[]> {
    return newestFirst(recordSchema, await this.#records.values());
  }

  /**
   * Saves samples under a name. If it is taken, a number is added to the name, unless `replace` is set.
   * @throws Error with a message for the user when there are no samples, or StorageError
   */
  async save(wanted: string, samples: readonly DistilledSample[], replace = false): Promise<DatasetRecord> {
    const [first] = samples;
    if (!first) throw new Error(t('storage:dataSets.empty'));
    const taken = new Set(await this.#records.keys());
    const base = datasetName(wanted);
    let name = base;
    for (let n = 2; !replace && taken.has(name); n++) name = `${base}-${n}`;
    const { task, difficulty, teacher } = first;
    const record = { name, created: Date.now(), samples: samples.length, task, difficulty, teacher: teacher.model };
    const bytes = await gzipText(writeDataset(samples));
    // The lines first, so that whatever is listed is complete.
    await this.#lines.set(name, bytes);
    await this.#records.set(name, record);
    return record;
  }

  /** @throws Error with a message for the user when there is no such data set, or it is damaged */
  async load(name: string): Promise<DistilledSample[]> {
    const bytes = await this.#lines.get(name);
    if (!bytes) throw new Error(t('storage:dataSets.missing', { name }));
    return parseDataset(await gunzipText(bytes)).samples;
  }

  async delete(name: string): Promise<void> {
    await this.#records.delete(name);
    await this.#lines.delete(name);
  }
}
