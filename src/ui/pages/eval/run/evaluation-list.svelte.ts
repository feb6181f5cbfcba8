/** @file The evaluations that are kept on this device. */
import type { EvaluationRun, EvaluationStorage } from '../../../../storage/evaluation-storage';
import { refusedAll } from '../../../../storage/refused';
import { PendingRemoval } from '../../../parts/pending-removal.svelte';
import { UnreadableList } from '../../../parts/stored/unreadable-list.svelte';
import { evaluationName } from './evaluation-name';

export class EvaluationList {
  all = $state.raw<readonly EvaluationRun[]>([]);
  readonly removal: PendingRemoval;
  readonly unreadable: UnreadableList;

  /** @param deleteRun deletes an evaluation for good and reports its own failures */
  constructor(
    private readonly storage: Pick<EvaluationStorage, 'list' | 'unreadable'>,
    deleteRun: (id: string) => Promise<void>,
  ) {
    this.unreadable = new UnreadableList([storage.unreadable]);
    this.removal = new PendingRemoval(async (id) => {
      await deleteRun(id);
      await this.load().catch(() => {});
    });
  }

  /** All without the one that is being deleted. */
  get shown(): readonly EvaluationRun[] {
    return this.all.filter(({ id }) => id !== this.removal.current?.id);
  }

  /** @throws Error with a message for the user */
  async load(): Promise<void> {
    try {
      this.all = await this.storage.list();
    } catch (error) {
      if (!refusedAll(error)) throw error;
    }
    await this.unreadable.load();
  }

  async remove(run: EvaluationRun): Promise<void> {
    await this.removal.start({ id: run.id, name: evaluationName(run) });
  }
}
