/** @file Keeps the order between what a callback on the other side is told and the answer to a call. */

/**
 * Sends values through a callback of the other side, in order. A message to a callback takes another channel than the
 * answer to a call, and may arrive after it; a call that waits for `drained` before it answers is never overtaken.
 */
export class Pipe<T> {
  #last: Promise<unknown> = Promise.resolve();
  readonly #callback: (value: T) => unknown;

  constructor(callback: (value: T) => unknown) {
    this.#callback = callback;
  }

  send(value: T): void {
    const sent = this.#callback(value);
    // A viewer that throws is no reason to stop the work.
    this.#last = Promise.all([this.#last, sent]).catch(() => {});
  }

  async drained(): Promise<void> {
    await this.#last;
  }
}
