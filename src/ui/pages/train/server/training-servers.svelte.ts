/** @file The training servers that a new run can be set up on, and what the chosen one offers. */
import { t } from '../../../../i18n';
import { TRAINING } from '../../../../servers/kinds';
import type { ServerRecord, ServerStore } from '../../../../servers/server-store';
import { Sidecar } from '../../../../servers/training/sidecar';
import type {
  RemoteRunOptions,
  SidecarDataset,
  SidecarInfo,
  SidecarRun,
} from '../../../../servers/training/sidecar-schema';
import type { RunConfig } from '../../../../runs/events';
import type { Finding, ServerClient } from '../../connect/server-client';
import { configFor, optionsFor } from './remote-fields';
import { problemsOf, type ServerProblem } from './server-problems';

/** The server that was chosen for a new run. */
export interface ChosenServer {
  record: ServerRecord;
  status: 'connecting' | 'ready' | 'failed';
  info: SidecarInfo | null;
  datasets: readonly SidecarDataset[];
  /** Why it can't be used. */
  finding: Finding | null;
}

type Store = Pick<ServerStore, 'list' | 'open' | 'save'>;

/** These requests are answered at once, or something is wrong. */
const REQUEST_OPTIONS = { firstMs: 20_000, stallMs: 20_000, retries: 0 };
/** The sidecar's limit for a data set, in bytes. */
const MAX_BYTES = 64 << 20;

export class TrainingServers {
  records = $state.raw<readonly ServerRecord[]>([]);
  /** Null for this browser. */
  chosen = $state.raw<ChosenServer | null>(null);
  /** Counts calls of `choose`: only the latest may change what is shown. */
  #turn = 0;

  constructor(
    private readonly store: Store,
    private readonly client: Pick<ServerClient, 'diagnose'>,
    private readonly send: typeof fetch = (...request) => fetch(...request),
  ) {}

  /** Reads which training servers the user has added, without sending them anything. */
  async load(): Promise<void> {
    try {
      this.records = (await this.store.list()).filter(({ kind }) => kind === TRAINING);
    } catch {
      // Errors are ignored: without storage, as in some private windows, there are no servers.
      this.records = [];
    }
  }

  /** Asks a server what it offers. Any other address stands for this browser. */
  async choose(url: string): Promise<void> {
    const turn = ++this.#turn;
    const record = this.records.find((each) => each.url === url);
    if (!record) {
      this.chosen = null;
      return;
    }
    const show = (change: Partial<ChosenServer>): void => {
      const before = { record, status: 'connecting' as const, info: null, datasets: [], finding: null };
      if (turn === this.#turn) this.chosen = { ...before, ...change };
    };
    show({});
    const server = await this.store.open(record);
    try {
      const sidecar = this.#sidecar(server);
      const [info, datasets] = await Promise.all([sidecar.info(), sidecar.datasets()]);
      show({ status: 'ready', info, datasets: datasets.filter(({ problem }) => problem === undefined) });
    } catch (error) {
      show({ status: 'failed', finding: await this.client.diagnose(server, error, new AbortController().signal) });
    }
  }

  /** The runs of the chosen server, newest first. @throws Error with a message for the user */
  async runs(): Promise<readonly SidecarRun[]> {
    const { chosen } = this;
    return chosen ? this.#sidecar(await this.store.open(chosen.record)).runs() : [];
  }

  /** Deletes a run on a server, whichever is chosen by then. @throws Error with a message for the user */
  async deleteRun(url: string, id: string): Promise<void> {
    await (await this.#at(url)).deleteRun(id);
  }

  /** The data sets of a server. @throws Error with a message for the user */
  async datasets(url: string): Promise<readonly SidecarDataset[]> {
    return (await this.#at(url)).datasets();
  }

  /** Deletes a data set on a server, whichever is chosen by then. @throws Error with a message for the user */
  async deleteDataset(url: string, task: string): Promise<void> {
    await (await this.#at(url)).deleteDataset(task);
    if (this.chosen?.record.url === url) {
      this.chosen = { ...this.chosen, datasets: this.chosen.datasets.filter((each) => each.task !== task) };
    }
  }

  /**
   * Uploads a file of problems to the chosen server.
   * @returns the name of the task for this data set
   * @throws Error with a message for the user
   */
  async upload(file: File): Promise<string> {
    const { chosen } = this;
    if (!chosen) throw new Error(t('servers:upload.noServer'));
    if (file.size > MAX_BYTES) throw new Error(t('servers:upload.tooLarge', { file: file.name }));
    const lines = await file.text();
    let added: SidecarDataset;
    try {
      added = await this.#sidecar(await this.store.open(chosen.record)).addDataset(lines);
    } catch (error) {
      const problem = problemsOf(error)
        .map(({ message }) => message)
        .join(' ');
      throw new Error(t('servers:upload.failed', { file: file.name, problem }), { cause: error });
    }
    if (this.chosen?.record === chosen.record) {
      this.chosen = { ...this.chosen, datasets: [...this.chosen.datasets, added] };
    }
    return added.task;
  }

  /** Starts a run on the chosen server, paused. @returns its id, or the settings that were refused */
  async start(config: RunConfig, options: RemoteRunOptions): Promise<{ id: string } | { problems: ServerProblem[] }> {
    const { chosen } = this;
    if (!chosen?.info) return { problems: [{ field: '*', message: t('servers:upload.notConnected') }] };
    return this.startOn(this.#sidecar(await this.store.open(chosen.record)), config, optionsFor(chosen.info, options));
  }

  /** Starts a run on any server, as `start` does. */
  async startOn(
    sidecar: Sidecar,
    config: RunConfig,
    options: RemoteRunOptions,
  ): Promise<{ id: string } | { problems: ServerProblem[] }> {
    try {
      return { id: (await sidecar.create(configFor(config), options, true)).id };
    } catch (error) {
      return { problems: problemsOf(error) };
    }
  }

  async #at(url: string): Promise<Sidecar> {
    const record = this.records.find((each) => each.url === url);
    if (!record) throw new Error(t('servers:upload.notConnected'));
    return this.#sidecar(await this.store.open(record));
  }

  #sidecar(server: ConstructorParameters<typeof Sidecar>[0]): Sidecar {
    return new Sidecar(server, null, { ...REQUEST_OPTIONS, fetch: this.send });
  }
}
