/**
 * @file What the page keeps in IndexedDB, through idb-keyval. Each table is a database with a single object store, which
 * is what idb-keyval supports; their names are those of the first release, so data that was saved then still opens.
 * All failures leave here as errors with a message for the user.
 */
import { createStore, type UseStore } from 'idb-keyval';
import { messageOf, nameOf } from '../base/errors';
import { t } from '../i18n';

/** What a table holds, for messages. */
export type Stored = 'runs' | 'models' | 'dataSets' | 'evaluations' | 'conversations' | 'servers';

/** The browser refused to store something. What was stored before is still there. */
export class StorageError extends Error {
  override name = 'StorageError';

  constructor(
    /** `full`: the quota is used up. `refused`: nothing can be stored at all, as in some private windows. */
    readonly reason: 'full' | 'refused',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface TableNames {
  database: string;
  store: string;
  /** What it holds, for messages. */
  of: Stored;
}

/**
 * Values by key. A write resolves when it is on disk.
 * @throws (every method) StorageError, or whatever else IndexedDB failed with
 */
export class Table<Value, Key extends IDBValidKey = string> {
  readonly #use: UseStore;
  readonly #of: Stored;

  constructor({ database, store, of }: TableNames) {
    this.#use = createStore(database, store);
    this.#of = of;
  }

  get(key: Key): Promise<Value | undefined> {
    return this.#read((store) => store.get(key) as IDBRequest<Value | undefined>);
  }

  /** All values, or those of a range of keys, in the order of their keys. */
  values(range?: IDBKeyRange): Promise<Value[]> {
    return this.#read((store) => store.getAll(range) as IDBRequest<Value[]>);
  }

  /** All keys, or those of a range, ascending. */
  keys(range?: IDBKeyRange): Promise<Key[]> {
    return this.#read((store) => store.getAllKeys(range) as IDBRequest as IDBRequest<Key[]>);
  }

  set(key: Key, value: Value): Promise<void> {
    return this.#write((store) => void store.put(value, key));
  }

  delete(key: Key | IDBKeyRange): Promise<void> {
    return this.#write((store) => void store.delete(key));
  }

  /**
   * Replaces a value by what is computed from it, in one transaction: no other change comes in between.
   * @param change gets undefined where there is no value yet, and returns undefined to leave the table alone
   */
  change(key: Key, change: (old: Value | undefined) => Value | undefined): Promise<void> {
    return this.#write(async (store) => {
      const changed = change(await result(store.get(key) as IDBRequest<Value | undefined>));
      if (changed !== undefined) store.put(changed, key);
    });
  }

  /** Adds a value under the key [id, n], where n counts up from 0 for each id. */
  append(id: string, value: Value): Promise<void> {
    return this.#write(async (store) => {
      const last = (await result(store.getAllKeys(keysOf(id)))).at(-1) as [string, number] | undefined;
      store.put(value, [id, last ? last[1] + 1 : 0]);
    });
  }

  #read<T>(request: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    return this.#describing(() => this.#use('readonly', (store) => result(request(store))));
  }

  #write(work: (store: IDBObjectStore) => void | Promise<void>): Promise<void> {
    return this.#describing(() =>
      this.#use('readwrite', async (store) => {
        const done = committed(store.transaction);
        // When the work fails, its error says more than that of the transaction that it takes down.
        await Promise.all([work(store), done]);
      }),
    );
  }

  async #describing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw describe(error, this.#of);
    }
  }
}

/** All keys that are arrays beginning with an id. */
export const keysOf = (id: string): IDBKeyRange => IDBKeyRange.bound([id], [id, []]);

function describe(error: unknown, of: Stored): Error {
  const name = nameOf(error);
  if (name === 'QuotaExceededError') return new StorageError('full', t(`storage:full.${of}`), { cause: error });
  if (name === 'InvalidStateError' || name === 'SecurityError' || name === 'UnknownError') {
    return new StorageError('refused', t(`storage:refused.${of}`), { cause: error });
  }
  return error instanceof Error ? error : new Error(messageOf(error), { cause: error });
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB request failed'));
  });
}

/** Resolves when a transaction is on disk; only then is it certain that the quota was enough. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('IndexedDB transaction aborted'));
  });
}
