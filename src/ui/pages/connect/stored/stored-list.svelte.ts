/** @file What is stored on a training server, as a list of which things can be deleted with undo. */
import { messageOf } from '../../../../base/errors';
import { PendingRemoval } from '../../../parts/pending-removal.svelte';

/** Both throw Error with a message for the user. */
export interface StoredAccess<T> {
  load(): Promise<readonly T[]>;
  delete(id: string): Promise<void>;
}

export class StoredList<T> {
  /** Null until they have been loaded. */
  all = $state.raw<readonly T[] | null>(null);
  /** Why they can't be listed, or why one can't be deleted. */
  problem = $state('');
  readonly removal = new PendingRemoval((id) => this.#delete(id));

  constructor(
    private readonly access: StoredAccess<T>,
    private readonly idOf: (item: T) => string,
  ) {}

  /** All, without one whose deletion can still be undone. */
  get shown(): readonly T[] {
    return (this.all ?? []).filter((item) => this.idOf(item) !== this.removal.current?.id);
  }

  async load(): Promise<void> {
    this.problem = '';
    try {
      this.all = await this.access.load();
    } catch (error) {
      this.problem = messageOf(error);
    }
  }

  /** Deletes one a little later. @param name what the user knows it by */
  async remove(item: T, name: string): Promise<void> {
    this.problem = '';
    await this.removal.start({ id: this.idOf(item), name });
  }

  async #delete(id: string): Promise<void> {
    try {
      await this.access.delete(id);
      this.all = (this.all ?? []).filter((item) => this.idOf(item) !== id);
    } catch (error) {
      this.problem = messageOf(error);
    }
  }
}
