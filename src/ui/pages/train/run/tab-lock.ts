/** @file Locks between tabs, so that only one of those that have the same run open trains or saves it. */

export type Locks = Pick<LockManager, 'request'> & Partial<Pick<LockManager, 'query'>>;

/** The lock of a run, wherever the run is made. */
export const lockOfRun = (id: string): string => `tinythink:keep:${id}`;

interface LockRequest {
  /** Waits until this signal aborts; without it, a lock that another tab holds isn't waited for. */
  wait?: AbortSignal;
  /** Takes the lock away from whoever holds it. */
  steal?: boolean;
  /** Called when another tab has taken the lock away. */
  onLost?: () => void;
}

/**
 * Takes a lock unless another tab holds it.
 * @returns a function that releases the lock; null if another tab holds it. In a browser without locks, every tab gets it.
 */
export function acquireTabLock(
  name: string,
  locks: Locks | undefined = globalThis.navigator?.locks,
  { wait, steal, onLost }: LockRequest = {},
): Promise<(() => Promise<void>) | null> {
  if (!locks) return Promise.resolve(() => Promise.resolve());
  return new Promise((resolve) => {
    let held = false;
    let given = false;
    const options = steal ? { steal } : wait ? { signal: wait } : { ifAvailable: true };
    const released: Promise<unknown> = locks.request(name, options, (lock) => {
      if (!lock) return resolve(null);
      held = true;
      return new Promise<void>((free) =>
        resolve(async () => {
          given = true;
          free();
          await released.catch(() => {});
        }),
      );
    });
    released.catch(() => {
      if (!held) resolve(wait?.aborted ? null : () => Promise.resolve());
      else if (!given) onLost?.();
    });
  });
}
