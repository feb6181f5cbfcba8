/** @file The events of the run on the page, collected so that the view changes only a few times a second, with a frame. */
import type { RunEvent } from '../../../../runs/events';
import { emptyRun, reduceAll, type RunView } from './run-view';

/** Minimum time between two changes of the view, in ms. Drawing faster than people can see would slow the run down. */
const INTERVAL = 200;

export class RunState {
  /** Replaced as a whole, never mutated. */
  view = $state.raw<RunView>(emptyRun);
  #queue: RunEvent[] = [];
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushed = -Infinity;

  /** Bound, so that it can be passed to a trainer as `onEvent`. */
  push = (event: RunEvent): void => {
    this.#queue.push(event);
    if (this.#frame || this.#timer) return;
    const wait = this.#flushed + INTERVAL - performance.now();
    if (wait <= 0) this.#schedule();
    else this.#timer = setTimeout(() => this.#schedule(), wait);
  };

  /** Applies the queued events now. */
  flush(): void {
    this.#unschedule();
    this.#flushed = performance.now();
    if (this.#queue.length === 0) return;
    const events = this.#queue;
    this.#queue = [];
    this.view = reduceAll(this.view, events);
  }

  /** Removes the run. */
  clear(): void {
    this.#unschedule();
    this.#queue = [];
    this.view = emptyRun;
  }

  #schedule(): void {
    this.#timer = undefined;
    this.#frame = requestAnimationFrame(() => this.flush());
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
}
