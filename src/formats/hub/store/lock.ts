/** @file Locks by name, so that only one tab works on a stored model at a time. */

import { nameOf } from '../../../base/errors';

/** Runs `work` and resolves to true, or resolves to false when somebody else holds the name. */
export type ExclusiveRun = (name: string, work: () => Promise<void>) => Promise<boolean>;

/** Locks within this program. */
export function localLock(): ExclusiveRun {
  const held = new Set<string>();
  return async (name, work) => {
    if (held.has(name)) return false;
    held.add(name);
    try {
      await work();
    } finally {
      held.delete(name);
    }
    return true;
  };
}

/** Milliseconds. After a reload, the old page's locks are released a little later. */
const LOCK_TIMEOUT = 3000;

/** Locks across all tabs and workers of the site; undefined where the browser has no Web Locks. */
export const lockAcrossTabs: ExclusiveRun | undefined =
  typeof navigator !== 'undefined' && 'locks' in navigator
    ? async (name, work) => {
        let held = false;
        try {
          await navigator.locks.request(name, { signal: AbortSignal.timeout(LOCK_TIMEOUT) }, async () => {
            held = true;
            await work();
          });
        } catch (error) {
          if (held || nameOf(error) !== 'TimeoutError') throw error;
        }
        return held;
      }
    : undefined;
