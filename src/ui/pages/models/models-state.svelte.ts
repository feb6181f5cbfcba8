/** @file What the Models page lists: models that are stored, in part or whole, and those on their way into the store. */
import { messageOf } from '../../../base/errors';
import type { ModelFacts, StorageUse, StoredModel } from '../../../formats/hub/stored-model';
import type { ModelLibrary } from '../../../worker/protocol';
import { PendingRemoval } from '../../parts/pending-removal.svelte';
import type { Activity } from '../../shell/activity.svelte';
import { Downloads, type Download } from './downloads.svelte';

/** A line of the list. */
export interface ModelRow {
  id: string;
  facts: ModelFacts;
  /** Bytes of all files, and how many of them are in the store. */
  bytes: number;
  storedBytes: number;
  complete: boolean;
  /** Milliseconds since 1970; null before anything is stored. */
  added: number | null;
  /** Set while it is on its way. */
  download: Download | undefined;
}

type Library = Pick<ModelLibrary, 'storedModels' | 'downloadModel' | 'removeModel' | 'storageUse'>;

export class ModelsState {
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  /** What went wrong last; empty when nothing did. */
  problem = $state('');
  /** What was done last, for those who don't see the list change. */
  done = $state('');
  stored = $state.raw<readonly StoredModel[]>([]);
  use = $state.raw<StorageUse | null>(null);
  readonly downloads: Downloads;
  readonly removal: PendingRemoval;
  /** What is on its way first, then what is stored, newest first; without the one that is being deleted. */
  readonly rows: readonly ModelRow[] = $derived.by(() =>
    listRows(this.stored, this.downloads.list).filter(({ id }) => id !== this.removal.current?.id),
  );

  constructor(
    private readonly engine: Library,
    activity: Pick<Activity, 'begin'> | null = null,
    private readonly manager: Pick<StorageManager, 'persist'> | undefined = globalThis.navigator?.storage,
  ) {
    this.downloads = new Downloads(
      engine,
      (model) => {
        this.done = `${model.name} is stored.`;
        void this.load();
      },
      activity,
    );
    this.removal = new PendingRemoval((id) =>
      this.attempt(async () => {
        await this.downloads.cancel(id);
        await this.load();
      }),
    );
  }

  async load(): Promise<void> {
    try {
      this.stored = await this.engine.storedModels();
      this.status = 'ready';
    } catch (error) {
      this.problem = messageOf(error);
      this.status = 'failed';
    }
    await this.measure();
  }

  /** Bytes that can still be stored once all that waits is; null where the browser doesn't tell. */
  get free(): number | null {
    const { usage, quota } = this.use ?? { usage: null, quota: null };
    if (usage === null || quota === null) return null;
    const coming = this.rows.filter(({ download }) => download).map(({ bytes, storedBytes }) => bytes - storedBytes);
    return Math.max(0, quota - usage - coming.reduce((sum, bytes) => sum + bytes, 0));
  }

  /** Goes on with a model that is stored in part. */
  resume({ id, facts, bytes, download }: ModelRow): void {
    this.problem = '';
    if (download) this.downloads.resume(id);
    else this.downloads.add({ id, facts, address: { kind: 'stored', id }, total: bytes });
  }

  /** Takes a model off the list, on its way or stored; it can be brought back for a while, a download as a paused one. */
  async remove({ id, facts, download }: ModelRow): Promise<void> {
    this.done = '';
    if (download) this.downloads.pause(id);
    await this.removal.start({ id, name: facts.name });
  }

  /** Asks the browser to keep what is stored even when the disk runs low. */
  async persist(): Promise<void> {
    const granted = await this.manager?.persist().catch(() => false);
    if (!granted)
      this.problem = 'The browser did not promise to keep the models. It may after more visits, or with a bookmark.';
    await this.measure();
  }

  /** Runs something that may fail; reports it and says whether it went well. */
  async attempt(action: () => Promise<void>): Promise<boolean> {
    this.problem = '';
    try {
      await action();
      return true;
    } catch (error) {
      this.problem = messageOf(error);
      return false;
    }
  }

  async measure(): Promise<void> {
    // Some private windows refuse to say.
    this.use = await this.engine.storageUse().catch(() => null);
  }
}

function listRows(stored: readonly StoredModel[], downloads: readonly Download[]): ModelRow[] {
  const byId = new Map(stored.map((model) => [model.id, model]));
  const going = downloads.map((download): ModelRow => {
    const { id, facts, total } = download;
    const known = byId.get(id);
    // Progress while checking counts what is read again, not what is stored.
    const news = download.progress?.phase === 'downloading' ? download.progress.bytes : 0;
    const storedBytes = Math.max(news, known?.storedBytes ?? 0);
    return { id, facts, bytes: total, storedBytes, complete: false, added: known?.added ?? null, download };
  });
  const rest = stored
    .filter(({ id }) => !downloads.some((download) => download.id === id))
    .map((model): ModelRow => ({
      id: model.id,
      facts: model,
      bytes: model.bytes,
      storedBytes: model.storedBytes,
      complete: model.complete,
      added: model.added,
      download: undefined,
    }))
    .sort((a, b) => (b.added ?? 0) - (a.added ?? 0));
  return [...going, ...rest];
}
