/** @file What is stored on a training server, as a list of which things can be deleted with undo. */
import { PendingRemoval } from '../../../parts/pending-removal.svelte';
import { ReportsProblems } from '../../../parts/reports-problems.svelte';

/** Both throw Error with a message for the user. */
export interface StoredAccess<T> {
  load(): Promise<readonly T[]>;
  delete(id: string): Promise<void>;
}

export class StoredList<T> extends ReportsProblems {
  /** Null until they have been loaded. */
  all = $state.raw<readonly T[] | null>(null);
  readonly removal = new PendingRemoval((id) => this.#delete(id));

  constructor(
    private readonly access: StoredAccess<T>,
    private readonly idOf: (item: T) => string,
  ) {
    super();
  }

  /** All, without one whose deletion can still be undone. */
  get shown(): readonly T[] {
    return (this.all ?? []).filter((item) => this.idOf(item) !== this.removal.current?.id);
  }

  async load(): Promise<void> {
    await this.attempt(async () => {
      this.all = await this.access.load();
    });
  }

  /** Deletes one a little later. @param name what the user knows it by */
  async remove(item: T, name: string): Promise<void> {
    this.problem = '';
    await this.removal.start({ id: this.idOf(item), name });
  }

  async #delete(id: string): Promise<void> {
    await this.attempt(async () => {
      await this.access.delete(id);
      this.all = (this.all ?? []).filter((item) => this.idOf(item) !== id);
    });
  }
}
