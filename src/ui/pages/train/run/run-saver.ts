/** @file Saves runs once they have made a step, so that opening the page doesn't fill the library with runs that never began. */
import type { RunEvent } from '../../../../runs/events';
import type { RunStorage } from '../../../../storage/run-storage';
import { RunWriter } from '../../../../storage/run-writer';

export class RunSaver {
  readonly #writer: RunWriter;
  /** Events of a run that has made no step yet. */
  #pending: RunEvent[] = [];

  /**
   * @param onProblem see RunWriter
   * @param stored id of a run whose first events are stored already: the next events are those after them
   */
  constructor(
    storage: Pick<RunStorage, 'create' | 'append'>,
    onProblem: (message: string) => void,
    stored: string | null = null,
  ) {
    this.#writer = new RunWriter(storage, onProblem);
    if (stored !== null) this.#writer.goOn(stored);
  }

  /** Takes the next event of a run. */
  add(event: RunEvent): void {
    if (event.type === 'started') this.#pending = [];
    this.#pending.push(event);
    // A run with a cold start only finishes without making a step.
    const worthSaving = event.type === 'step' || (event.type === 'finished' && event.reason === 'max_steps');
    if (!worthSaving && this.#pending[0]?.type === 'started') return;
    for (const pending of this.#pending) this.#writer.append(pending);
    this.#pending = [];
  }

  /** Resolves when everything that is to be saved is stored. Never rejects. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }
}
