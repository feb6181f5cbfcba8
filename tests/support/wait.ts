/** @file Waiting for what a page has done, instead of for a time that a loaded machine may exceed. */
import type { Page } from 'playwright-core';
import { sleep } from '../../src/base/sleep';

/**
 * Resolves when IndexedDB holds a run whose last step is this one, with a checkpoint of it. The page saves in the
 * background and shows nothing when it is done.
 */
export async function runIsSaved(page: Page, step: number, timeout = 120_000): Promise<void> {
  const isSaved = async (last: number): Promise<boolean> => {
    const read = (database: string, store: string, keys: boolean): Promise<unknown[]> =>
      new Promise((resolve) => {
        const opening = indexedDB.open(database);
        // A database that isn't there yet must not be created here, without its store.
        opening.onupgradeneeded = () => opening.transaction!.abort();
        opening.onerror = () => resolve([]);
        opening.onsuccess = () => {
          const table = opening.result.transaction(store).objectStore(store);
          const request = (keys ? table.getAllKeys() : table.getAll()) as IDBRequest<unknown[]>;
          request.onsuccess = () => (opening.result.close(), resolve(request.result));
        };
      });
    const runs = (await read('tinythink-runs', 'runs', false)) as { id: string; last_step: number }[];
    const checkpoints = (await read('tinythink-checkpoints', 'checkpoints', true)) as [string, number][];
    return runs.some(
      ({ id, last_step }) => last_step === last && checkpoints.some(([run, at]) => run === id && at === last),
    );
  };
  const end = Date.now() + timeout;
  // Not page.waitForFunction, which takes a promise for an answer.
  while (!(await page.evaluate(isSaved, step))) {
    if (Date.now() > end) throw new Error(`no run was saved up to step ${step} within ${timeout} ms`);
    await sleep(100);
  }
}

/** Resolves when nothing below <body> has changed for a while, in milliseconds. */
export async function isQuiet(page: Page, quiet = 300): Promise<void> {
  await page.evaluate(
    (milliseconds) =>
      new Promise<void>((resolve) => {
        const done = () => {
          observer.disconnect();
          resolve();
        };
        let timer = setTimeout(done, milliseconds);
        const observer = new MutationObserver(() => {
          clearTimeout(timer);
          timer = setTimeout(done, milliseconds);
        });
        observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
      }),
    quiet,
  );
}
