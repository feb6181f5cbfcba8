/** @file A lock between tabs, so that only one of those that watch the same run saves it. */

export type Locks = Pick<LockManager, 'request'>;

/**
 * Takes a lock unless another tab holds it.
 * @returns a function that releases the lock; null if another tab holds it. In a browser without locks, every tab gets it.
 */
export function acquireTabLock(
  name: string,
  locks: Locks | undefined = globalThis.navigator?.locks,
): Promise<(() => Promise<void>) | null> {
  if (!locks) return Promise.resolve(() => Promise.resolve());
  return new Promise((resolve) => {
    const released: Promise<unknown> = locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise<void>((free) =>
        resolve(async () => {
          free();
          await released;
        }),
      );
    });
    released.catch(() => resolve(() => Promise.resolve()));
  });
}
