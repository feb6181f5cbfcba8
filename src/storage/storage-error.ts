/** @file Why the browser refuses to store something, in words that say what to do. */

/** The quota is used up. What was stored before is still there. */
export class StorageFullError extends Error {
  override name = 'StorageFullError';
}

/** Turns what IndexedDB throws into an error for the user; anything unknown stays as it is. */
export function describeStorageError(error: unknown): Error {
  const name = (error as { name?: unknown } | null)?.name;
  if (name === 'QuotaExceededError') {
    const message = "The browser's storage for this site is full. Delete saved runs, or export this one to a file.";
    return new StorageFullError(message, { cause: error });
  }
  if (name === 'InvalidStateError' || name === 'SecurityError' || name === 'UnknownError') {
    const message =
      'The browser does not let this site store anything, as in some private windows. Runs are not saved.';
    return new Error(message, { cause: error });
  }
  return error instanceof Error ? error : new Error(String(error));
}

/** Asks the browser not to evict saved runs; true when it agreed. */
export async function requestPersistence(): Promise<boolean> {
  try {
    return await navigator.storage.persist();
  } catch {
    return false;
  }
}
