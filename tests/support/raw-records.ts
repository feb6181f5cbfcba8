/** @file Records as they lie in IndexedDB, written without any code of the storage. */

/** Puts values into a table, as the first release did. */
export function writeRecords(
  database: string,
  store: string,
  records: readonly [IDBValidKey, unknown][],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(database);
    opening.onupgradeneeded = () => opening.result.createObjectStore(store);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction(store, 'readwrite');
      for (const [key, value] of records) transaction.objectStore(store).put(value, key);
      transaction.oncomplete = () => (opening.result.close(), resolve());
    };
  });
}
