/** @file The Web Locks of one browser for tests in Node, which has none: exclusive ones, waiting, taken away, and asked for. */

interface Waiting {
  grant: () => void;
}

export class FakeLocks {
  /** By name: how the holder is told that the lock was taken away, and who waits. */
  readonly #held = new Map<string, { lose: () => void }>();
  readonly #waiting = new Map<string, Waiting[]>();

  query = (): Promise<{ held: { name: string }[] }> =>
    Promise.resolve({ held: [...this.#held.keys()].map((name) => ({ name })) });

  request = async (name: string, options: LockOptions, work: (lock: Lock | null) => unknown): Promise<unknown> => {
    if (this.#held.has(name)) {
      if (options.ifAvailable) return work(null);
      if (options.steal) this.#held.get(name)!.lose();
      else await this.#wait(name, options.signal);
    }
    let holder!: { lose: () => void };
    const lost = new Promise<never>((_, reject) => {
      holder = { lose: () => reject(new DOMException('The lock was stolen.', 'AbortError')) };
    });
    this.#held.set(name, holder);
    try {
      return await Promise.race([work({ name, mode: 'exclusive' }), lost]);
    } finally {
      if (this.#held.get(name) === holder) {
        this.#held.delete(name);
        this.#waiting.get(name)?.shift()?.grant();
      }
    }
  };

  #wait(name: string, signal?: AbortSignal): Promise<void> {
    return new Promise((grant, reject) => {
      const waiting = { grant };
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), waiting]);
      signal?.addEventListener('abort', () => {
        this.#waiting.set(
          name,
          this.#waiting.get(name)!.filter((each) => each !== waiting),
        );
        reject(signal.reason as Error);
      });
    });
  }
}
