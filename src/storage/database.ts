/**
 * @file What the page keeps in IndexedDB, through idb-keyval. Each table is a database with a single object store, which
 * is what idb-keyval supports; their names are those of the first release, so data that was saved then still opens.
 * Whatever is read is checked, record by record, so that one that is damaged hides no other and stops no writing. All
 * failures leave here as errors with a message for the user.
 */
import { createStore, type UseStore } from 'idb-keyval';
import { messageOf, nameOf } from '../base/errors';
import { t } from '../i18n';
import { RecordError, UnreadableError, unreadable, type Reader, type UnreadableRecord } from './records';

/** What a table holds, for messages. */
export type Stored = 'runs' | 'models' | 'dataSets' | 'evaluations' | 'conversations' | 'servers';

/** The browser refused to store something. What was stored before is still there. */
export class StorageError extends Error {
  override name = 'StorageError';

  constructor(
    /**
     * `full`: the quota is used up. `refused`: nothing can be stored at all, as in some private windows. `failed`: the
     * browser's database doesn't work.
     */
    readonly reason: 'full' | 'refused' | 'failed',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface TableNames<Value> {
  database: string;
  store: string;
  /** What it holds, for messages. */
  of: Stored;
  /** Makes a value of what is stored. */
  read: Reader<Value>;
  /** What is stored of a value; without it, the value itself. */
  write?: (value: Value) => unknown;
}

/** Everything in a table, or in a range of its keys: what can be read, and what can't. */
export interface Entries<Value, Key> {
  readable: { key: Key; value: Value }[];
  unreadable: UnreadableRecord[];
}

/**
 * Values by key. A write resolves when it is on disk.
 * @throws (every method) StorageError, or whatever else IndexedDB failed with
 */
export class Table<Value, Key extends IDBValidKey = string> {
  #use: UseStore;
  /** Resolves when the database is known to have its store; null before the first use. */
  #ready: Promise<void> | null = null;
  readonly #names: TableNames<Value>;

  constructor(names: TableNames<Value>) {
    this.#names = names;
    this.#use = createStore(names.database, names.store);
  }

  /** @throws UnreadableError when there is a value that can't be read */
  async get(key: Key): Promise<Value | undefined> {
    let stored: unknown;
    try {
      stored = (await this.#alone(key))();
      return stored === undefined ? undefined : this.#names.read(stored, key);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      throw unreadableError(this.#names.of, unreadable(key, stored, error), error);
    }
  }

  /** What is stored under a key, unchecked. */
  raw(key: IDBValidKey): Promise<unknown> {
    return this.#read((store) => result(store.get(key) as IDBRequest<unknown>));
  }

  /** Everything, or what is in a range of keys, in the order of the keys. */
  async entries(range?: IDBKeyRange): Promise<Entries<Value, Key>> {
    const found: Entries<Value, Key> = { readable: [], unreadable: [] };
    for (const [key, read] of await this.#stored(range)) {
      let stored: unknown;
      try {
        stored = read();
        found.readable.push({ key: key as Key, value: this.#names.read(stored, key) });
      } catch (error) {
        found.unreadable.push(unreadable(key, stored, error));
      }
    }
    return found;
  }

  /** All readable values, or those of a range of keys, in the order of their keys. */
  async values(range?: IDBKeyRange): Promise<Value[]> {
    return (await this.entries(range)).readable.map(({ value }) => value);
  }

  /** All keys, or those of a range, ascending; of unreadable values too. */
  keys(range?: IDBKeyRange): Promise<Key[]> {
    return this.#read((store) => result(store.getAllKeys(range) as IDBRequest as IDBRequest<Key[]>));
  }

  set(key: Key, value: Value): Promise<void> {
    return this.#write((store) => void store.put(this.#storable(value), key));
  }

  delete(key: IDBValidKey | IDBKeyRange): Promise<void> {
    return this.#write((store) => void store.delete(key));
  }

  /**
   * Replaces a value by what is computed from it, in one transaction: no other change comes in between.
   * @param change gets undefined where there is no value that can be read, and returns undefined to leave the table alone
   */
  change(key: Key, change: (old: Value | undefined) => Value | undefined): Promise<void> {
    return this.#write(async (store) => {
      const changed = change(this.#readable(await result(store.get(key) as IDBRequest<unknown>), key));
      if (changed !== undefined) store.put(this.#storable(changed), key);
    });
  }

  /** Adds a value under the key [id, n], where n counts up from 0 for each id. @returns the key */
  async append(id: string, value: Value): Promise<[string, number]> {
    let key: [string, number] = [id, 0];
    await this.#write(async (store) => {
      const last = (await result(store.getAllKeys(keysOf(id)))).at(-1) as [string, number] | undefined;
      store.put(this.#storable(value), (key = [id, last ? last[1] + 1 : 0]));
    });
    return key;
  }

  #storable(value: Value): unknown {
    return this.#names.write ? this.#names.write(value) : value;
  }

  #readable(stored: unknown, key: Key): Value | undefined {
    try {
      return stored === undefined ? undefined : this.#names.read(stored, key);
    } catch {
      return undefined;
    }
  }

  /** Each key with a function that returns what is stored there, or throws. */
  async #stored(range: IDBKeyRange | undefined): Promise<[IDBValidKey, () => unknown][]> {
    try {
      const [keys, values] = await this.#read((store) =>
        Promise.all([result(store.getAllKeys(range)), result(store.getAll(range) as IDBRequest<unknown[]>)]),
      );
      return keys.map((key, i) => [key, () => values[i]]);
    } catch (error) {
      if (error instanceof StorageError && error.reason !== 'failed') throw error;
      // When the disk has lost one value, the browser gives none of them at once, but the others one by one.
      const keys = await this.keys(range);
      return Promise.all(keys.map(async (key) => [key, await this.#alone(key)] as [IDBValidKey, () => unknown]));
    }
  }

  /** A function that returns what is stored under a key, or throws when the disk has lost it. */
  async #alone(key: Key): Promise<() => unknown> {
    try {
      const stored = await this.raw(key);
      return () => stored;
    } catch (error) {
      // Where not even the keys can be read, it isn't this value that is damaged.
      const only = IDBKeyRange.only(key);
      if (error instanceof StorageError && error.reason !== 'failed') throw error;
      if ((await this.keys(only)).length === 0) throw error;
      return () => {
        throw new RecordError(t('storage:unreadable.lost'));
      };
    }
  }

  #read<T>(work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    return this.#describing(() => this.#transaction('readonly', work));
  }

  #write(work: (store: IDBObjectStore) => void | Promise<void>): Promise<void> {
    return this.#describing(() =>
      this.#transaction('readwrite', async (store) => {
        const done = committed(store.transaction);
        // When the work fails, its error says more than that of the transaction that it takes down.
        await Promise.all([work(store), done]);
      }),
    );
  }

  async #transaction<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    // Some embedded browsers have no IndexedDB at all.
    if (!globalThis.indexedDB) throw new DOMException('there is no IndexedDB', 'SecurityError');
    const { database, store } = this.#names;
    this.#ready ??= ensureStore(database, store).catch((error: unknown) => {
      this.#ready = null;
      throw error;
    });
    await this.#ready;
    let begun = false;
    try {
      return await this.#use(mode, (opened) => {
        begun = true;
        return work(opened);
      });
    } catch (error) {
      // Once the work has begun it may have changed something, and must not be done twice.
      if (begun || nameOf(error) !== 'InvalidStateError') throw error;
      // The browser has closed the connection, as some do when they need memory.
      this.#use = createStore(database, store);
      return this.#use(mode, work);
    }
  }

  async #describing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw describe(error, this.#names.of);
    }
  }
}

/** The error for a record that was asked for and can't be read. */
export function unreadableError(of: Stored, record: UnreadableRecord, cause?: unknown): UnreadableError {
  const { name, reason } = record;
  return new UnreadableError(record, t(`storage:unreadable.one.${of}`, { name, reason }), { cause });
}

/** All keys that are arrays beginning with an id. */
export const keysOf = (id: string): IDBKeyRange => IDBKeyRange.bound([id], [id, []]);

function describe(error: unknown, of: Stored): Error {
  const name = nameOf(error);
  if (name === 'QuotaExceededError') return new StorageError('full', t(`storage:full.${of}`), { cause: error });
  if (name === 'InvalidStateError' || name === 'SecurityError' || name === 'UnknownError') {
    return new StorageError('refused', t(`storage:refused.${of}`), { cause: error });
  }
  // A value that can't be stored is a mistake of ours, which no reload mends.
  if (error instanceof DOMException && name !== 'DataCloneError') {
    return new StorageError('failed', t(`storage:failed.${of}`), { cause: error });
  }
  return error instanceof Error ? error : new Error(messageOf(error), { cause: error });
}

/** Makes the database, or adds its object store where something else made it without one. */
async function ensureStore(database: string, store: string): Promise<void> {
  const version = await open(database, store);
  if (version !== null) await open(database, store, version + 1);
}

/** Opens a database and closes it again. @returns its version if the store is missing, otherwise null */
async function open(database: string, store: string, version?: number): Promise<number | null> {
  const opening = indexedDB.open(database, version);
  opening.onupgradeneeded = () => {
    if (!opening.result.objectStoreNames.contains(store)) opening.result.createObjectStore(store);
  };
  const blocked = new Promise<never>((_, reject) => {
    opening.onblocked = () => reject(new DOMException('another tab has the database open', 'AbortError'));
  });
  const opened = await Promise.race([result(opening), blocked]);
  const missing = opened.objectStoreNames.contains(store) ? null : opened.version;
  opened.close();
  return missing;
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
