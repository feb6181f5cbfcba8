/** @file Data sets for fine-tuning, by name: a short record for the list, and the samples as compressed JSON lines. */
import * as v from 'valibot';
import { datasetName, parseDataset, writeDataset, type DistilledSample } from '../eval/distillation';
import { gunzipBeginning, gunzipText, gzipText } from '../base/gzip';
import { t } from '../i18n';
import { Table, unreadableError } from './database';
import { bytesSchema, isBytes, newestFirst, recordReader, showKey, type UnreadableRecord } from './records';
import { fileOf, UnreadableRecords, type Files } from './unreadable-records';

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
  readonly #records: Table<DatasetRecord>;
  readonly #lines: Table<Uint8Array<ArrayBuffer>>;
  readonly unreadable: UnreadableRecords;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    this.#records = new Table({
      database: `${name}-datasets`,
      store: 'datasets',
      of: 'dataSets',
      read: recordReader(recordSchema, 'name'),
    });
    this.#lines = new Table({
      database: `${name}-dataset-lines`,
      store: 'lines',
      of: 'dataSets',
      read: recordReader(bytesSchema),
    });
    this.unreadable = new UnreadableRecords({
      of: 'dataSets',
      table: this.#records,
      find: () => this.#findUnreadable(),
      belongings: (name) => this.#belongings(name),
      remove: (name) => this.delete(name),
    });
  }

  /** Newest first. */
  async list(): Promise<DatasetRecord[]> {
    const complete = new Set(await this.#lines.keys());
    return newestFirst(await this.#records.values()).filter(({ name }) => complete.has(name));
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
    try {
      await this.#records.set(name, record);
    } catch (error) {
      if (!taken.has(name)) await this.#lines.delete(name);
      throw error;
    }
    return record;
  }

  /** @throws Error with a message for the user when there is no such data set, UnreadableError when it is damaged */
  async load(name: string): Promise<DistilledSample[]> {
    const bytes = await this.#lines.get(name);
    if (!bytes) throw new Error(t('storage:dataSets.missing', { name }));
    try {
      return parseDataset(await gunzipText(bytes)).samples;
    } catch (error) {
      throw unreadableError('dataSets', { key: name, name, reason: t('storage:unreadable.noLines') }, error);
    }
  }

  /** The record goes last, so that a crash leaves nothing without one. */
  async delete(name: IDBValidKey): Promise<void> {
    await this.#lines.delete(name);
    await this.#records.delete(name);
  }

  async #findUnreadable(): Promise<UnreadableRecord[]> {
    const records = await this.#records.entries();
    const lines = new Set<IDBValidKey>(await this.#lines.keys());
    const withoutLines = records.readable.filter(({ key }) => !lines.has(key));
    for (const { key } of [...records.readable, ...records.unreadable]) lines.delete(key);
    return [
      ...records.unreadable,
      ...withoutLines.map(({ key }) => ({ key, name: key, reason: t('storage:unreadable.onlyEntry') })),
      ...[...lines].map((key) => ({ key, name: showKey(key), reason: t('storage:unreadable.noEntry') })),
    ];
  }

  /** The samples as a file that can be imported again, up to where they are damaged; then also all that is stored. */
  async #belongings(name: IDBValidKey): Promise<Files> {
    const files: Files = new Map();
    const stored = await this.#lines.raw(name).catch(() => undefined);
    if (stored === undefined) return files;
    const text = isBytes(stored) ? await gunzipBeginning(stored) : '';
    const samples = text.slice(0, text.lastIndexOf('\n') + 1);
    if (samples !== '') files.set('samples.jsonl', new TextEncoder().encode(samples));
    const complete =
      samples !== '' && (await gunzipText(stored as Uint8Array<ArrayBuffer>).catch(() => null)) === samples;
    if (!complete) files.set(...fileOf('samples.jsonl.gz', stored));
    return files;
  }
}
