/** @file Asks the browser to keep what this site saved when disk space runs low. */

/** True when the browser agreed. Never throws: Firefox asks the user, and some browsers don't have the interface. */
export async function requestPersistence(): Promise<boolean> {
  try {
    return await navigator.storage.persist();
  } catch {
    return false;
  }
}
