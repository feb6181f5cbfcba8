/** @file The list of saved runs and what can be done with them. Every failure becomes a sentence on the page. */
import { messageOf } from '../../../base/errors';
import type { RunStorage, SavedRun } from '../../../storage/run-storage';
import { t } from '../../../i18n';
import { notifyModelsChanged } from '../../parts/models-changed';
import { askToPersist } from '../../parts/storage/persist';
import { ReportsProblems } from '../../parts/reports-problems.svelte';
import { PendingRemoval } from '../../parts/pending-removal.svelte';
import { runTitle } from './run-text';

export interface RunEntry {
  run: SavedRun;
  /** Steps with a checkpoint, ascending. The run can be resumed from the last one. */
  checkpoints: number[];
}

export interface StorageUse {
  used: number;
  quota: number;
  /** Whether the browser promised not to delete it; null where it can't promise. */
  persisted: boolean | null;
}

type Storage = Pick<RunStorage, 'list' | 'checkpointSteps' | 'rename' | 'delete' | 'modelNames' | 'deleteModel'>;

export class SavedRuns extends ReportsProblems {
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  /** The last thing that was done, also for screen readers. */
  done = $state('');
  entries = $state.raw<RunEntry[]>([]);
  /** Names of imported models. */
  models = $state.raw<string[]>([]);
  use = $state.raw<StorageUse | null>(null);
  readonly removal: PendingRemoval;
  /** All runs, the newest first, without the one that is being deleted. */
  readonly shown = $derived.by(() => this.entries.filter(({ run }) => run.id !== this.removal.current?.id));

  constructor(
    private readonly storage: Storage,
    private readonly manager: StorageManager | undefined = globalThis.navigator?.storage,
  ) {
    super();
    this.removal = new PendingRemoval((id) =>
      this.attempt(async () => {
        await this.storage.delete(id);
        await this.load();
      }),
    );
  }

  async load(): Promise<void> {
    try {
      const runs = await this.storage.list();
      this.entries = await Promise.all(
        runs.map(async (run) => ({ run, checkpoints: await this.storage.checkpointSteps(run.id) })),
      );
      this.models = await this.storage.modelNames();
      this.status = 'ready';
    } catch (error) {
      this.problem = messageOf(error);
      this.status = 'failed';
    }
    await this.measure();
  }

  /** @returns whether the run was renamed */
  rename(id: string, name: string): Promise<boolean> {
    return this.attempt(async () => {
      await this.storage.rename(id, name);
      await this.load();
      this.done = t('runs:row.renamed', { name: name.trim() });
    });
  }

  /** Removes a run from the list. It can be undone for a while. */
  async remove(run: SavedRun): Promise<void> {
    await this.removal.start({ id: run.id, name: runTitle(run, Date.now()) });
  }

  deleteModel(name: string): Promise<boolean> {
    return this.attempt(async () => {
      await this.storage.deleteModel(name);
      await this.load();
      this.done = t('runs:models.deleted', { name });
      notifyModelsChanged();
    });
  }

  /** Asks the browser not to delete what is stored when disk space is low. */
  async persist(): Promise<void> {
    this.problem = await askToPersist(this.manager);
    await this.measure();
  }

  private async measure(): Promise<void> {
    try {
      const estimate = await this.manager?.estimate();
      const persisted = (await this.manager?.persisted?.()) ?? null;
      this.use = estimate ? { used: estimate.usage ?? 0, quota: estimate.quota ?? 0, persisted } : null;
    } catch {
      // Some private windows don't say.
      this.use = null;
    }
  }
}
