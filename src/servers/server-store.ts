/**
 * @file The servers that the user added. Records, exports and imports never contain a key. Keys stay in memory; a key that
 * the user asks to keep goes into a separate store, bound to its origin.
 */
import * as v from 'valibot';
import { t } from '../i18n';
import { StorageError, Table } from '../storage/database';
import { recordReader } from '../storage/records';
import { UnreadableRecords } from '../storage/unreadable-records';
import { RemoteError } from './errors';
import { ServerKey } from './key';
import { ALL_KINDS, type AnyKind } from './kinds';
import { serverUrl, type AnyServer } from './server';

export interface ServerRecord {
  id: string;
  kind: AnyKind;
  url: string;
  label: string;
  prefix?: '/v1' | '';
  /** When it was added, in milliseconds since 1970. */
  added: number;
}

export interface NewKey {
  secret: string;
  /** Whether to store it in this browser. */
  keep: boolean;
}

const isUrl = (text: string): boolean => {
  try {
    return serverUrl(text) === text;
  } catch {
    return false;
  }
};

const record = v.object({
  id: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)),
  kind: v.picklist(ALL_KINDS),
  url: v.pipe(v.string(), v.maxLength(2000), v.check(isUrl)),
  label: v.pipe(v.string(), v.minLength(1), v.maxLength(100)),
  prefix: v.optional(v.picklist(['/v1', ''])),
  added: v.pipe(v.number(), v.finite(), v.minValue(0)),
});

const file = v.object({ tinythink_servers: v.literal(1), servers: v.pipe(v.array(record), v.maxLength(1000)) });
const keptKey = v.object({ origin: v.string(), secret: v.string() });

export class ServerStore {
  readonly #records: Table<ServerRecord>;
  readonly #kept: Table<v.InferOutput<typeof keptKey>>;
  readonly unreadable: UnreadableRecords;
  /** By the server's id. */
  readonly #keys = new Map<string, ServerKey>();

  /** @param name prefix of the databases' names; tests use their own */
  constructor(name = 'tinythink') {
    this.#records = new Table({
      database: `${name}-servers`,
      store: 'servers',
      of: 'servers',
      read: recordReader(v.pipe(record, v.transform(clean)), 'id'),
    });
    this.#kept = new Table({
      database: `${name}-server-keys`,
      store: 'keys',
      of: 'servers',
      read: recordReader(keptKey),
    });
    // What belongs to a record is its key, which is never exported.
    this.unreadable = new UnreadableRecords({
      of: 'servers',
      table: this.#records,
      find: async () => (await this.#records.entries()).unreadable,
      remove: async (id) => {
        if (typeof id === 'string') await this.forgetKey(id);
        await this.#records.delete(id);
      },
    });
  }

  /** In the order in which they were added. @throws Error with a message for the user */
  async list(): Promise<ServerRecord[]> {
    return (await this.#records.values()).sort((a, b) => a.added - b.added);
  }

  /**
   * Stores a server, new or changed. A key stays with the origin that it was given for: it is forgotten when the server's
   * address moves to another origin.
   * @throws RemoteError when the record or the key is invalid; Error when the browser can't store it
   */
  async save(server: ServerRecord, key?: NewKey): Promise<void> {
    const parsed = v.safeParse(record, server);
    if (!parsed.success) throw new RemoteError('address', t('servers:store.incomplete'));
    const made = key?.secret.trim() ? new ServerKey(server.url, key.secret) : null;
    await this.#records.set(server.id, clean(parsed.output));
    if (made) {
      this.#keys.set(server.id, made);
      if (key!.keep) await this.#kept.set(server.id, { origin: made.origin, secret: made.reveal() });
      else await this.#kept.delete(server.id);
    } else if ((await this.#keyOf(server))?.origin !== new URL(server.url).origin) await this.forgetKey(server.id);
  }

  async delete(id: string): Promise<void> {
    await this.forgetKey(id);
    await this.#records.delete(id);
  }

  async forgetKey(id: string): Promise<void> {
    this.#keys.delete(id);
    await this.#kept.delete(id);
  }

  /** Whether there is a key, and whether it is stored in this browser. */
  async keyState(server: ServerRecord): Promise<'none' | 'memory' | 'kept'> {
    if (!(await this.#keyOf(server))) return 'none';
    return (await this.#keptKey(server)) ? 'kept' : 'memory';
  }

  /** The server with its key, ready for requests. */
  async open(server: ServerRecord): Promise<AnyServer> {
    const { kind, url, label, prefix } = server;
    return { kind, url, label, ...(prefix !== undefined && { prefix }), key: await this.#keyOf(server) };
  }

  /** All servers as a file, without keys. */
  async export(): Promise<string> {
    return `${JSON.stringify({ tinythink_servers: 1, servers: await this.list() }, null, 2)}\n`;
  }

  /**
   * Adds the servers of a file that `export` wrote, here or on another device. Servers with a known address are left out.
   * @returns how many were added
   * @throws Error with a message for the user
   */
  async import(text: string, newId: () => string = () => crypto.randomUUID()): Promise<number> {
    let servers: ServerRecord[];
    try {
      servers = v.parse(file, JSON.parse(text)).servers.map(clean);
    } catch {
      throw new Error(t('servers:store.notServers'));
    }
    const here = new Set((await this.list()).map(addressOf));
    let count = 0;
    for (const server of servers) {
      if (here.has(addressOf(server))) continue;
      here.add(addressOf(server));
      // With a new id, so that a file can't claim a key that is stored here.
      await this.save({ ...server, id: newId() });
      count++;
    }
    return count;
  }

  async #keyOf(server: ServerRecord): Promise<ServerKey | null> {
    const inMemory = this.#keys.get(server.id) ?? (await this.#keptKey(server));
    if (!inMemory || inMemory.origin !== new URL(server.url).origin) return null;
    this.#keys.set(server.id, inMemory);
    return inMemory;
  }

  async #keptKey({ id, url }: ServerRecord): Promise<ServerKey | null> {
    try {
      const kept = await this.#kept.get(id);
      return kept?.origin === new URL(url).origin ? new ServerKey(url, kept.secret) : null;
    } catch (error) {
      if (error instanceof StorageError) throw error;
      // A damaged key is none: the user is asked for it again.
      return null;
    }
  }
}

const addressOf = ({ kind, url }: ServerRecord): string => `${kind} ${url}`;

/** The record without an undefined `prefix`. */
function clean({ prefix, ...rest }: v.InferOutput<typeof record>): ServerRecord {
  return { ...rest, ...(prefix !== undefined && { prefix }) };
}
