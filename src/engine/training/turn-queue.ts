/** @file Work that must not overlap: each piece runs when those asked for before it are done. */
export class TurnQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs the work when it is its turn. A failure is the caller's alone. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all work that was asked for so far is done. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
