/** @file The run on the page: events go in at any rate, the view changes at most once per frame. */
import type { RunEvent } from '../../runs/events';
import { emptyRun, reduceAll, type RunView } from './run-view';

export class RunState {
  /** Replaced as a whole, never mutated. */
  view = $state.raw<RunView>(emptyRun);
  #queue: RunEvent[] = [];
  #frame = 0;

  /** Bound, so that it can be handed to a trainer as `onEvent`. */
  push = (event: RunEvent): void => {
    this.#queue.push(event);
    this.#frame ||= requestAnimationFrame(() => this.flush());
  };

  /** Applies what is queued, now. */
  flush(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#queue.length === 0) return;
    const events = this.#queue;
    this.#queue = [];
    this.view = reduceAll(this.view, events);
  }

  /** Forgets the run. */
  clear(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#queue = [];
    this.view = emptyRun;
  }
}
