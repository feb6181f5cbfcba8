/** @file Whether the browser lets this site store anything. */
import { StorageError } from './database';
import { RunStorage } from './run-storage';

/** True where the database can't even be opened, as in some private windows. Other failures are for the pages to report. */
export async function isStorageRefused(storage: Pick<RunStorage, 'modelNames'> = new RunStorage()): Promise<boolean> {
  try {
    await storage.modelNames();
    return false;
  } catch (error) {
    return refusedAll(error);
  }
}

/** Whether an error says that nothing can be stored, which a notice on every page tells already. */
export const refusedAll = (error: unknown): boolean => error instanceof StorageError && error.reason === 'refused';
