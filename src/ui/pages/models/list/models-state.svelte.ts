/** @file What the Models page lists: complete and incomplete models in the store, and downloads. */
import { messageOf } from '../../../../base/errors';
import type { ModelFacts, StorageUse, StoredModel } from '../../../../formats/hub/stored-model';
import type { ModelLibrary } from '../../../../worker/protocol';
import { t } from '../../../../i18n';
import { notifyModelsChanged } from '../../../parts/models-changed';
import { askToPersist } from '../../../parts/storage/persist';
import { ReportsProblems } from '../../../parts/reports-problems.svelte';
import { PendingRemoval } from '../../../parts/pending-removal.svelte';
import type { Activity } from '../../../shell/activity.svelte';
import { Downloads, type Download } from './downloads.svelte';

/** One entry of the list. */
export interface ModelRow {
  id: string;
  facts: ModelFacts;
  /** Bytes of all files, and of those that are stored. */
  bytes: number;
  storedBytes: number;
  complete: boolean;
  /** Milliseconds since 1970; null before anything is stored. */
  added: number | null;
  /** Set while it is being downloaded. */
  download: Download | undefined;
}

type Library = Pick<ModelLibrary, 'storedModels' | 'downloadModel' | 'removeModel' | 'storageUse'>;

export class ModelsState extends ReportsProblems {
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  /** The last thing that was done, also for screen readers. */
  done = $state('');
  stored = $state.raw<readonly StoredModel[]>([]);
  use = $state.raw<StorageUse | null>(null);
  readonly downloads: Downloads;
  readonly removal: PendingRemoval;
  /** Downloads first, then stored models, the newest first; without the one that is being deleted. */
  readonly rows: readonly ModelRow[] = $derived.by(() =>
    listRows(this.stored, this.downloads.list).filter(({ id }) => id !== this.removal.current?.id),
  );

  constructor(
    private readonly engine: Library,
    activity: Pick<Activity, 'begin'> | null = null,
    private readonly manager: Pick<StorageManager, 'persist'> | undefined = globalThis.navigator?.storage,
  ) {
    super();
    this.downloads = new Downloads(
      engine,
      (model) => {
        this.done = t('models:page.storedNow', { name: model.name });
        notifyModelsChanged();
        void this.load();
      },
      activity,
    );
    this.removal = new PendingRemoval((id) =>
      this.attempt(async () => {
        await this.downloads.cancel(id);
        await this.load();
        notifyModelsChanged();
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

  /** Bytes that are free once all downloads are complete; null where the browser doesn't say. */
  get free(): number | null {
    const { usage, quota } = this.use ?? { usage: null, quota: null };
    if (usage === null || quota === null) return null;
    const pending = this.rows.filter(({ download }) => download).map(({ bytes, storedBytes }) => bytes - storedBytes);
    return Math.max(0, quota - usage - pending.reduce((sum, bytes) => sum + bytes, 0));
  }

  /** Resumes the download of an incomplete model. */
  resume({ id, facts, bytes, download }: ModelRow): void {
    this.problem = '';
    if (download) this.downloads.resume(id);
    else this.downloads.add({ id, facts, address: { kind: 'stored', id }, total: bytes });
  }

  /** Removes a model or a download from the list. It can be undone for a while; a download comes back paused. */
  async remove({ id, facts, download }: ModelRow): Promise<void> {
    this.done = '';
    if (download) this.downloads.pause(id);
    await this.removal.start({ id, name: facts.name });
  }

  /** Asks the browser not to delete what is stored when disk space is low. */
  async persist(): Promise<void> {
    this.problem = await askToPersist(this.manager);
    await this.measure();
  }

  async measure(): Promise<void> {
    // Some private windows don't say.
    this.use = await this.engine.storageUse().catch(() => null);
  }
}

function listRows(stored: readonly StoredModel[], downloads: readonly Download[]): ModelRow[] {
  const byId = new Map(stored.map((model) => [model.id, model]));
  const downloading = downloads.map((download): ModelRow => {
    const { id, facts, total } = download;
    const known = byId.get(id);
    // While checking, progress counts what was read again, not what is stored.
    const received = download.progress?.phase === 'downloading' ? download.progress.bytes : 0;
    const storedBytes = Math.max(received, known?.storedBytes ?? 0);
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
  return [...downloading, ...rest];
}
