/** @file The data sets of this device: saved, imported, exported and deleted. */
import { messageOf } from '../../../base/errors';
import { parseDataset, writeDataset, type DistilledSample } from '../../../eval/distillation';
import type { DatasetRecord, DatasetStorage } from '../../../storage/dataset-storage';
import type { ExportedFile } from '../../../runs/exchange';
import { t } from '../../../i18n';
import { ReportsProblems } from '../../parts/reports-problems.svelte';
import { PendingRemoval } from '../../parts/pending-removal.svelte';

/** Bytes. */
const MAX_FILE = 200_000_000;

type Storage = Pick<DatasetStorage, 'list' | 'save' | 'load' | 'delete'>;

export class DatasetsState extends ReportsProblems {
  records = $state.raw<readonly DatasetRecord[]>([]);
  /** The last thing that was done, for the user. */
  news = $state('');
  readonly removal = new PendingRemoval((id) => this.attempt(() => this.#delete(id)));

  constructor(private readonly storage: Storage) {
    super();
  }

  get shown(): readonly DatasetRecord[] {
    return this.records.filter(({ name }) => name !== this.removal.current?.id);
  }

  async load(): Promise<void> {
    await this.attempt(async () => void (this.records = await this.storage.list()));
  }

  /** Saves samples. @returns the record; null when they can't be saved, which `problem` then says */
  async keep(name: string, samples: readonly DistilledSample[]): Promise<DatasetRecord | null> {
    let record: DatasetRecord | null = null;
    await this.attempt(async () => {
      record = await this.storage.save(name, samples, true);
      this.records = await this.storage.list();
    });
    return record;
  }

  /** Imports a file. */
  async take(file: File): Promise<void> {
    this.news = '';
    const importFile = async () => {
      if (file.size > MAX_FILE) throw new Error(t('distil:datasets.tooLarge', { megabytes: MAX_FILE / 1e6 }));
      const { samples, wrong, repeated } = parseDataset(await textOf(file));
      const { name } = await this.storage.save(file.name.replace(/\.\w+$/, ''), samples);
      this.records = await this.storage.list();
      const skipped = [
        ...(wrong > 0 ? [t('distil:datasets.wrong', { count: wrong })] : []),
        ...(repeated > 0 ? [t('distil:datasets.repeated', { count: repeated })] : []),
      ];
      this.news = [t('distil:datasets.imported', { name, count: samples.length }), ...skipped].join(' ');
    };
    await this.attempt(importFile, (error) => t('eval:file.problem', { name: file.name, reason: messageOf(error) }));
  }

  /** The data set as a file; null when it can't be read, which `problem` then says. */
  async file({ name }: DatasetRecord): Promise<ExportedFile | null> {
    let file: ExportedFile | null = null;
    await this.attempt(async () => void (file = datasetFile(name, await this.storage.load(name))));
    return file;
  }

  async remove({ name }: DatasetRecord): Promise<void> {
    await this.removal.start({ id: name, name });
  }

  async #delete(name: string): Promise<void> {
    await this.storage.delete(name);
    this.records = this.records.filter((each) => each.name !== name);
  }
}

export const datasetFile = (name: string, samples: readonly DistilledSample[]): ExportedFile => ({
  name: `${name}.jsonl`,
  type: 'application/jsonl',
  bytes: new TextEncoder().encode(writeDataset(samples)),
});

async function textOf(file: File): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(t('distil:datasets.notText'));
  }
}
