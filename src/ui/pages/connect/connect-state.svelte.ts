/** @file The Connect page's state: the servers, what they have, and what stands between them and this page. */
import { messageOf } from '../../../base/errors';
import type { Detected } from '../../../servers/detect';
import { ServerKey } from '../../../servers/key';
import type { RemoteModel } from '../../../servers/models';
import type { Remedy } from '../../../servers/kinds/kind';
import { isModelServer, serverUrl, type AnyServer, type RemoteServer } from '../../../servers/server';
import type { AnyKind } from '../../../servers/kinds';
import type { ServerRecord, ServerStore } from '../../../servers/server-store';
import type { SidecarInfo, SidecarRun } from '../../../servers/training/sidecar-schema';
import { PendingRemoval } from '../../parts/pending-removal.svelte';
import type { ModelLists } from './model-lists';

/** Why a server can't be used, and what mends it. */
export interface Finding {
  title: string;
  text: string;
  remedies: readonly Remedy[];
}

/** What asks servers; every call is a request, so only a click may lead to one. */
export interface Asking {
  /** What is at an address, or why nothing is found there. Rejects only when the signal aborts. */
  find(address: string, secret: string, signal: AbortSignal): Promise<Detected | Finding>;
  list(server: RemoteServer, signal: AbortSignal): Promise<RemoteModel[]>;
  /** What a server that trains has. */
  info(server: AnyServer, signal: AbortSignal): Promise<SidecarInfo>;
  runs(server: AnyServer, signal: AbortSignal): Promise<SidecarRun[]>;
  /** Never rejects, but when the signal aborts. */
  diagnose(server: AnyServer, error: unknown, signal: AbortSignal): Promise<Finding>;
}

export interface ServerRow {
  record: ServerRecord;
  key: 'none' | 'memory' | 'kept';
  /** Null until it has been asked; none of a server that trains. */
  models: readonly RemoteModel[] | null;
  /** What a server that trains has; null until it has been asked, and of all others. */
  training: SidecarInfo | null;
  status: 'idle' | 'asking' | 'ready' | 'failed';
  finding: Finding | null;
}

/** What the form says. */
export interface NewServer {
  address: string;
  secret: string;
  keep: boolean;
  /** `auto`: to be found out. */
  kind: AnyKind | 'auto';
  /** Empty: as its host is called. */
  label: string;
}

type Store = Pick<ServerStore, 'list' | 'save' | 'delete' | 'forgetKey' | 'keyState' | 'open'>;

export class ConnectState {
  rows = $state.raw<readonly ServerRow[]>([]);
  status = $state<'loading' | 'ready'>('loading');
  /** Why the form's server was not added. */
  finding = $state.raw<Finding | null>(null);
  adding = $state(false);
  /** Why something else failed. */
  problem = $state('');
  /** What was done, for everyone to hear. */
  done = $state('');
  readonly removal = new PendingRemoval((id) => this.#delete(id));
  #abort: AbortController | null = null;

  constructor(
    private readonly store: Store,
    private readonly lists: Pick<ModelLists, 'get' | 'set' | 'delete'>,
    private readonly ask: Asking,
    private readonly newId: () => string = () => crypto.randomUUID(),
  ) {}

  /** The rows that are not about to be removed. */
  get shown(): readonly ServerRow[] {
    return this.rows.filter(({ record }) => record.id !== this.removal.current?.id);
  }

  /** Reads what is stored; asks nobody. */
  async load(): Promise<void> {
    await this.#attempt(async () => {
      const rows: ServerRow[] = [];
      for (const record of await this.store.list()) rows.push(await this.#rowOf(record));
      this.rows = rows;
    });
    this.status = 'ready';
  }

  /**
   * Asks the server of the form what it is and what it has, and keeps it when it answers.
   * @returns whether it was added
   */
  async add(wanted: NewServer): Promise<boolean> {
    if (this.adding) return false;
    this.adding = true;
    this.finding = null;
    this.problem = this.done = '';
    const abort = (this.#abort = new AbortController());
    try {
      const found = await this.#look(wanted, abort.signal);
      if ('title' in found) {
        this.finding = found;
        return false;
      }
      return await this.#keep(found, wanted);
    } catch (error) {
      if (!abort.signal.aborted) this.finding = { title: 'That can’t be asked', text: messageOf(error), remedies: [] };
      return false;
    } finally {
      this.adding = false;
    }
  }

  cancel(): void {
    this.#abort?.abort();
  }

  /** Asks a server again what it has. */
  async refresh(id: string): Promise<void> {
    const row = this.#find(id);
    if (!row || row.status === 'asking') return;
    this.#change(id, { status: 'asking', finding: null });
    const { signal } = new AbortController();
    const server = await this.store.open(row.record);
    try {
      const { models, training = null } = await this.#question(server, signal);
      this.#remember(id, { server, models });
      this.#change(id, { status: 'ready', models, training });
      this.done = `${row.record.label} answers, ${withWhat(models, training)}.`;
    } catch (error) {
      this.#change(id, { status: 'failed', finding: await this.ask.diagnose(server, error, signal) });
    }
  }

  /** Gives a server another key; an empty one takes the key away. */
  async setKey(id: string, secret: string, keep: boolean): Promise<void> {
    const row = this.#find(id);
    if (!row) return;
    await this.#attempt(async () => {
      if (secret.trim()) await this.store.save(row.record, { secret, keep });
      else await this.store.forgetKey(id);
      this.#change(id, { key: await this.store.keyState(row.record) });
      this.done = secret.trim()
        ? `The key of ${row.record.label} is set.`
        : `The key of ${row.record.label} is forgotten.`;
    });
  }

  /** The runs of a server that trains. @throws Error for the reader */
  async runs(id: string): Promise<readonly SidecarRun[]> {
    const row = this.#find(id);
    return row ? this.ask.runs(await this.store.open(row.record), new AbortController().signal) : [];
  }

  async remove(id: string): Promise<void> {
    const row = this.#find(id);
    this.done = '';
    if (row) await this.removal.start({ id, name: row.record.label });
  }

  async #look({ address, secret, kind }: NewServer, signal: AbortSignal): Promise<Detected | Finding> {
    if (kind === 'auto') return this.ask.find(address, secret, signal);
    const url = serverUrl(address);
    const key = secret.trim() ? new ServerKey(url, secret) : null;
    const server: AnyServer = { kind, url, label: url.replace(/^https?:\/\//, ''), key };
    try {
      return await this.#question(server, signal);
    } catch (error) {
      signal.throwIfAborted();
      return this.ask.diagnose(server, error, signal);
    }
  }

  async #question(server: AnyServer, signal: AbortSignal): Promise<Detected> {
    if (isModelServer(server)) return { server, models: await this.ask.list(server, signal) };
    return { server, models: [], training: await this.ask.info(server, signal) };
  }

  /** For whoever chooses among models, where it is a server of models. */
  #remember(id: string, { server, models }: Detected): void {
    if (isModelServer(server)) this.lists.set(id, models);
  }

  async #keep(found: Detected, { secret, keep, label: wished }: NewServer): Promise<boolean> {
    const { kind, url, label: host, prefix } = found.server;
    const label = wished.trim() || host;
    const known = this.rows.find(({ record }) => record.url === url && record.kind === kind);
    const record: ServerRecord = {
      id: known?.record.id ?? this.newId(),
      kind,
      url,
      label: label.slice(0, 100),
      ...(prefix !== undefined && { prefix }),
      added: known?.record.added ?? Date.now(),
    };
    if (this.removal.current?.id === record.id) this.removal.undo();
    let kept = false;
    await this.#attempt(async () => {
      await this.store.save(record, secret.trim() ? { secret, keep } : undefined);
      kept = true;
      this.#remember(record.id, found);
      const training = found.training ?? null;
      const row: ServerRow = { ...(await this.#rowOf(record)), training, status: 'ready' };
      this.rows = known ? this.rows.map((each) => (each === known ? row : each)) : [...this.rows, row];
      this.done = `${record.label} is connected, ${withWhat(found.models, training)}.`;
    });
    return kept;
  }

  async #rowOf(record: ServerRecord): Promise<ServerRow> {
    const key = await this.store.keyState(record);
    return { record, key, models: this.lists.get(record.id), training: null, status: 'idle', finding: null };
  }

  #find(id: string): ServerRow | undefined {
    return this.rows.find(({ record }) => record.id === id);
  }

  #change(id: string, change: Partial<ServerRow>): void {
    this.rows = this.rows.map((row) => (row.record.id === id ? { ...row, ...change } : row));
  }

  async #delete(id: string): Promise<void> {
    await this.#attempt(async () => {
      await this.store.delete(id);
      this.lists.delete(id);
      this.rows = this.rows.filter(({ record }) => record.id !== id);
    });
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      this.problem = '';
      await work();
    } catch (error) {
      this.problem = messageOf(error);
    }
  }
}

const withWhat = (models: readonly unknown[], training: SidecarInfo | null): string => {
  const count = training?.models.length ?? models.length;
  return `with ${count} ${count === 1 ? 'model' : 'models'}${training ? ' to train' : ''}`;
};
