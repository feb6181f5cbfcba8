/**
 * @file Gives the event loop a turn during long work. Values that are there already reach a loop by `for await` without one:
 * a fast stream would keep the page from drawing, and a click on Stop from arriving, until its end.
 */

/** Milliseconds of work without a turn. */
const WORK_MS = 8;

/**
 * Resolves in a task of its own, after those that already wait. Not by a timer, which browsers slow down in tabs that
 * aren't shown.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Says when it is time for a turn: `if (turns.isDue) await turns.next();` costs next to nothing otherwise. */
export class Turns {
  readonly #now: () => number;
  #last: number;

  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#last = now();
  }

  get isDue(): boolean {
    return this.#now() - this.#last >= WORK_MS;
  }

  async next(): Promise<void> {
    await nextTurn();
    this.#last = this.#now();
  }
}
