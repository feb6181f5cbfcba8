/** @file The stored records of a page that can't be read: exporting and deleting them. */
import { messageOf } from '../../../base/errors';
import { UnreadableError, type UnreadableRecord } from '../../../storage/records';
import type { UnreadableRecords } from '../../../storage/unreadable-records';
import { PendingRemoval } from '../pending-removal.svelte';
import type { SavedFile } from '../save-as';

/** One file or several; large ones stay on disk. */
type Exported = SavedFile | SavedFile[];

export type UnreadableSource = Pick<UnreadableRecords, 'of' | 'list' | 'delete'> & {
  export: (record: UnreadableRecord) => Promise<Exported>;
};

export interface UnreadableEntry {
  id: string;
  source: UnreadableSource;
  record: UnreadableRecord;
}

export class UnreadableList {
  entries = $state.raw<readonly UnreadableEntry[]>([]);
  /** What went wrong last; empty if nothing did. */
  problem = $state('');
  readonly removal: PendingRemoval;
  readonly shown = $derived.by(() => this.entries.filter(({ id }) => id !== this.removal.current?.id));

  /** @param changed called when a record was deleted */
  constructor(
    private readonly sources: readonly UnreadableSource[],
    private readonly changed: () => void = () => {},
  ) {
    this.removal = new PendingRemoval((id) => this.#delete(id));
  }

  /** Looks for them. Never rejects: a browser that stores nothing has none, and the page itself says so. */
  async load(): Promise<void> {
    const found = await Promise.all(
      this.sources.map(async (source) =>
        (await source.list().catch((): UnreadableRecord[] => [])).map((record) => entry(source, record)),
      ),
    );
    this.entries = found.flat();
  }

  /** Adds a record that was found to be damaged when it was opened. @returns whether it was one */
  note(error: unknown, [source] = this.sources): boolean {
    if (!(error instanceof UnreadableError) || !source) return false;
    this.add(error.record, source);
    return true;
  }

  add(record: UnreadableRecord, source: UnreadableSource): void {
    const added = entry(source, record);
    if (!this.entries.some(({ id }) => id === added.id)) this.entries = [...this.entries, added];
  }

  /** All that is stored of a record, as files; none if that fails, which `problem` then says. */
  async export({ source, record }: UnreadableEntry): Promise<SavedFile[]> {
    this.problem = '';
    try {
      return [await source.export(record)].flat();
    } catch (error) {
      this.problem = messageOf(error);
      return [];
    }
  }

  /** Removes a record from the list. It can be undone for a while. */
  async remove({ id, record }: UnreadableEntry): Promise<void> {
    await this.removal.start({ id, name: record.name });
  }

  async #delete(id: string): Promise<void> {
    const found = this.entries.find((each) => each.id === id);
    if (!found) return;
    this.problem = '';
    try {
      await found.source.delete(found.record);
      this.entries = this.entries.filter((each) => each !== found);
    } catch (error) {
      this.problem = messageOf(error);
    }
    this.changed();
  }
}

function entry(source: UnreadableSource, record: UnreadableRecord): UnreadableEntry {
  const { key } = record;
  return { id: `${source.of} ${typeof key} ${typeof key === 'string' ? key : JSON.stringify(key)}`, source, record };
}
