/** @file Saves one run after the other from their first step on: opening the page must not fill the library with runs that never began. */
import type { RunEvent } from '../../../../runs/events';
import type { RunStorage } from '../../../../storage/run-storage';
import { RunWriter } from '../../../../storage/run-writer';

export class RunKeeper {
  readonly #writer: RunWriter;
  /** Events of a run that has made no step yet. */
  #held: RunEvent[] = [];

  /**
   * @param onProblem see RunWriter
   * @param stored a run of which a beginning is stored: the events to come are those after it
   */
  constructor(
    storage: Pick<RunStorage, 'create' | 'append'>,
    onProblem: (message: string) => void,
    stored: string | null = null,
  ) {
    this.#writer = new RunWriter(storage, onProblem);
    if (stored !== null) this.#writer.goOn(stored);
  }

  keep(event: RunEvent): void {
    if (event.type === 'started') this.#held = [];
    this.#held.push(event);
    // A cold start may be all there is to a run: then its end is its beginning.
    const counts = event.type === 'step' || (event.type === 'finished' && event.reason === 'max_steps');
    if (!counts && this.#held[0]?.type === 'started') return;
    for (const held of this.#held) this.#writer.append(held);
    this.#held = [];
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }
}
