/** @file The list of saved runs and what can be done with them; every failure ends as a sentence on the page. */
import { messageOf } from '../../../base/errors';
import type { RunStorage, SavedRun } from '../../../storage/run-storage';
import { PendingRemoval } from '../../parts/pending-removal.svelte';

export interface LibraryEntry {
  run: SavedRun;
  /** Steps with a checkpoint, ascending: the run can go on from the last, and each can be asked in the chat. */
  checkpoints: number[];
}

export interface StorageUse {
  used: number;
  quota: number;
  /** Whether the browser promised not to throw it away. */
  persisted: boolean;
}

type Storage = Pick<RunStorage, 'list' | 'checkpointSteps' | 'rename' | 'delete' | 'modelNames' | 'deleteModel'>;

export class LibraryState {
  status = $state<'loading' | 'ready' | 'failed'>('loading');
  /** What went wrong last; empty when nothing did. */
  problem = $state('');
  /** What was done last, for those who don't see the list change. */
  done = $state('');
  entries = $state.raw<LibraryEntry[]>([]);
  /** Names of imported models. */
  models = $state.raw<string[]>([]);
  use = $state.raw<StorageUse | null>(null);
  readonly removal: PendingRemoval;
  /** Newest first, without the one that is being deleted. */
  readonly shown = $derived.by(() => this.entries.filter(({ run }) => run.id !== this.removal.current?.id));

  constructor(
    private readonly storage: Storage,
    private readonly manager: StorageManager | undefined = globalThis.navigator?.storage,
  ) {
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

  /** True when the name was taken. */
  rename(id: string, name: string): Promise<boolean> {
    return this.attempt(async () => {
      await this.storage.rename(id, name);
      await this.load();
      this.done = `Renamed to ${name.trim()}.`;
    });
  }

  /** Takes a run off the list; it can be brought back for a while. */
  async remove(run: SavedRun): Promise<void> {
    await this.removal.start({ id: run.id, name: run.name });
  }

  deleteModel(name: string): Promise<boolean> {
    return this.attempt(async () => {
      await this.storage.deleteModel(name);
      await this.load();
      this.done = `Deleted the model ${name}.`;
    });
  }

  /** Asks the browser to keep what is stored even when the disk runs low. */
  async persist(): Promise<void> {
    const granted = await this.manager?.persist?.().catch(() => false);
    if (!granted)
      this.problem = 'The browser did not promise to keep saved runs. It may after more visits, or with a bookmark.';
    await this.measure();
  }

  private async measure(): Promise<void> {
    try {
      const estimate = await this.manager?.estimate();
      const persisted = (await this.manager?.persisted?.()) ?? false;
      this.use = estimate ? { used: estimate.usage ?? 0, quota: estimate.quota ?? 0, persisted } : null;
    } catch {
      // Some private windows refuse to say.
      this.use = null;
    }
  }
}

/** How a run stands, in a few words. */
export function standing({ run, checkpoints }: LibraryEntry): string {
  const steps = `${run.last_step} of ${run.config.max_steps} steps`;
  if (run.status === 'finished')
    return run.last_step < run.config.max_steps ? `stopped after ${steps}` : `${run.last_step} steps`;
  if (run.status === 'failed') return `failed after ${steps}`;
  return checkpoints.length > 0 ? `${steps}, can go on` : steps;
}

/** Whether a run can go on: it has a checkpoint, and steps left to do. */
export function canResume({ run, checkpoints }: LibraryEntry): boolean {
  return checkpoints.length > 0 && run.last_step < run.config.max_steps;
}
