/** @file One tab at a time: of several that watch the same run, one keeps it. */

export type Locks = Pick<LockManager, 'request'>;

/**
 * Takes a lock if no other tab holds it, and holds it until it is told otherwise.
 * @returns what lets go; null when another tab has it. Where the browser has no locks, every tab gets it.
 */
export function hold(
  name: string,
  locks: Locks | undefined = globalThis.navigator?.locks,
): Promise<(() => Promise<void>) | null> {
  if (!locks) return Promise.resolve(() => Promise.resolve());
  return new Promise((resolve) => {
    const over: Promise<unknown> = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise<void>((free) =>
        resolve(async () => {
          free();
          await over;
        }),
      );
    });
    over.catch(() => resolve(() => Promise.resolve()));
  });
}
