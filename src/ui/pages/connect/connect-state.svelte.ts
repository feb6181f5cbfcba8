/** @file The state of the Connect page: the servers, what they offer, and why they can't be used. */
import { t } from '../../../i18n';
import { messageOf } from '../../../base/errors';
import type { Detected } from '../../../servers/detect';
import { ServerKey } from '../../../servers/key';
import type { RemoteModel } from '../../../servers/models';
import { isModelServer, serverUrl, type AnyServer } from '../../../servers/server';
import type { AnyKind } from '../../../servers/kinds';
import type { ServerRecord, ServerStore } from '../../../servers/server-store';
import type { SidecarInfo, SidecarRun } from '../../../servers/training/sidecar-schema';
import { ReportsProblems } from '../../parts/reports-problems.svelte';
import { PendingRemoval } from '../../parts/pending-removal.svelte';
import type { ModelLists } from './model-lists';
import type { Finding, ServerClient } from './server-client';

export interface ServerRow {
  record: ServerRecord;
  key: 'none' | 'memory' | 'kept';
  /** As of the last time it was asked; null before, and always null for a training server. */
  models: readonly RemoteModel[] | null;
  /** What a training server offers; null until it has been asked, and always null for other servers. */
  training: SidecarInfo | null;
  status: 'idle' | 'connecting' | 'ready' | 'failed';
  finding: Finding | null;
}

/** What the user entered in the form. */
export interface NewServer {
  address: string;
  secret: string;
  keep: boolean;
  /** `auto`: detect it. */
  kind: AnyKind | 'auto';
  /** Empty to use the name of the host. */
  label: string;
}

type Store = Pick<ServerStore, 'list' | 'save' | 'delete' | 'forgetKey' | 'keyState' | 'open'>;

export class ConnectState extends ReportsProblems {
  rows = $state.raw<readonly ServerRow[]>([]);
  status = $state<'loading' | 'ready'>('loading');
  /** Why the server of the form was not added. */
  finding = $state.raw<Finding | null>(null);
  adding = $state(false);
  /** What was done, to be announced. */
  done = $state('');
  readonly removal = new PendingRemoval((id) => this.#delete(id));
  #abort: AbortController | null = null;

  constructor(
    private readonly store: Store,
    private readonly lists: Pick<ModelLists, 'get' | 'set' | 'delete'>,
    private readonly client: ServerClient,
    private readonly newId: () => string = () => crypto.randomUUID(),
  ) {
    super();
  }

  /** The rows, without one whose removal can still be undone. */
  get shown(): readonly ServerRow[] {
    return this.rows.filter(({ record }) => record.id !== this.removal.current?.id);
  }

  /** Reads the stored servers, without sending them anything. */
  async load(): Promise<void> {
    await this.attempt(async () => {
      const rows: ServerRow[] = [];
      for (const record of await this.store.list()) rows.push(await this.#rowOf(record));
      this.rows = rows;
    });
    this.status = 'ready';
  }

  /**
   * Connects to the server of the form, and stores it when it answers.
   * @returns whether it was added
   */
  async add(wanted: NewServer): Promise<boolean> {
    if (this.adding) return false;
    this.adding = true;
    this.finding = null;
    this.problem = this.done = '';
    const abort = (this.#abort = new AbortController());
    try {
      const found = await this.#find(wanted, abort.signal);
      if ('title' in found) {
        this.finding = found;
        return false;
      }
      return await this.#store(found, wanted);
    } catch (error) {
      if (!abort.signal.aborted)
        this.finding = { title: t('connect:findings.address'), text: messageOf(error), remedies: [] };
      return false;
    } finally {
      this.adding = false;
    }
  }

  cancel(): void {
    this.#abort?.abort();
  }

  /** Asks a server again what it offers. */
  async refresh(id: string): Promise<void> {
    const row = this.#row(id);
    if (!row || row.status === 'connecting') return;
    this.#change(id, { status: 'connecting', finding: null });
    const { signal } = new AbortController();
    const server = await this.store.open(row.record);
    try {
      const { models, training = null } = await this.#ask(server, signal);
      this.#remember(id, { server, models });
      this.#change(id, { status: 'ready', models, training });
      this.done = this.#announce('answers', row.record.label, models, training);
    } catch (error) {
      this.#change(id, { status: 'failed', finding: await this.client.diagnose(server, error, signal) });
    }
  }

  /** Changes the key of a server; an empty one removes it. */
  async setKey(id: string, secret: string, keep: boolean): Promise<void> {
    const row = this.#row(id);
    if (!row) return;
    await this.attempt(async () => {
      if (secret.trim()) await this.store.save(row.record, { secret, keep });
      else await this.store.forgetKey(id);
      this.#change(id, { key: await this.store.keyState(row.record) });
      const server = row.record.label;
      this.done = secret.trim() ? t('connect:done.keySet', { server }) : t('connect:done.keyRemoved', { server });
    });
  }

  /** The runs of a training server. @throws Error with a message for the user */
  async runs(id: string): Promise<readonly SidecarRun[]> {
    const row = this.#row(id);
    return row ? this.client.runs(await this.store.open(row.record), new AbortController().signal) : [];
  }

  async remove(id: string): Promise<void> {
    const row = this.#row(id);
    this.done = '';
    if (row) await this.removal.start({ id, name: row.record.label });
  }

  async #find({ address, secret, kind }: NewServer, signal: AbortSignal): Promise<Detected | Finding> {
    if (kind === 'auto') return this.client.find(address, secret, signal);
    const url = serverUrl(address);
    const key = secret.trim() ? new ServerKey(url, secret) : null;
    const server: AnyServer = { kind, url, label: url.replace(/^https?:\/\//, ''), key };
    try {
      return await this.#ask(server, signal);
    } catch (error) {
      signal.throwIfAborted();
      return this.client.diagnose(server, error, signal);
    }
  }

  async #ask(server: AnyServer, signal: AbortSignal): Promise<Detected> {
    if (isModelServer(server)) return { server, models: await this.client.models(server, signal) };
    return { server, models: [], training: await this.client.info(server, signal) };
  }

  /** Remembers a model server's models, for the lists in which users choose a model. */
  #remember(id: string, { server, models }: Detected): void {
    if (isModelServer(server)) this.lists.set(id, models);
  }

  async #store(found: Detected, { secret, keep, label: wished }: NewServer): Promise<boolean> {
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
    await this.attempt(async () => {
      await this.store.save(record, secret.trim() ? { secret, keep } : undefined);
      kept = true;
      this.#remember(record.id, found);
      const training = found.training ?? null;
      const row: ServerRow = { ...(await this.#rowOf(record)), training, status: 'ready' };
      this.rows = known ? this.rows.map((each) => (each === known ? row : each)) : [...this.rows, row];
      this.done = this.#announce('connected', record.label, found.models, training);
    });
    return kept;
  }

  async #rowOf(record: ServerRecord): Promise<ServerRow> {
    const key = await this.store.keyState(record);
    return { record, key, models: this.lists.get(record.id), training: null, status: 'idle', finding: null };
  }

  #announce(
    what: 'answers' | 'connected',
    server: string,
    models: readonly RemoteModel[],
    training: SidecarInfo | null,
  ): string {
    return training
      ? t(`connect:done.${what}ToTrain`, { server, count: training.models.length })
      : t(`connect:done.${what}`, { server, count: models.length });
  }

  #row(id: string): ServerRow | undefined {
    return this.rows.find(({ record }) => record.id === id);
  }

  #change(id: string, change: Partial<ServerRow>): void {
    this.rows = this.rows.map((row) => (row.record.id === id ? { ...row, ...change } : row));
  }

  async #delete(id: string): Promise<void> {
    await this.attempt(async () => {
      await this.store.delete(id);
      this.lists.delete(id);
      this.rows = this.rows.filter(({ record }) => record.id !== id);
    });
  }
}
