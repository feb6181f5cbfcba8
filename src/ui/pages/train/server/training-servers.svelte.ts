/** @file The servers that train, for the sheet that sets up a run: which there are, and what the chosen one has. */
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
import type { Asking, Finding } from '../../connect/connect-state.svelte';
import { configFor, optionsFor } from './remote-fields';
import { problemsOf, type ServerProblem } from './server-problems';

/** What was found at a server. */
export interface Chosen {
  record: ServerRecord;
  status: 'asking' | 'ready' | 'failed';
  info: SidecarInfo | null;
  datasets: readonly SidecarDataset[];
  /** Why it can't be used. */
  finding: Finding | null;
}

type Store = Pick<ServerStore, 'list' | 'open' | 'save'>;

/** Answers come at once, or something is wrong. */
const AT_ONCE = { firstMs: 20_000, stallMs: 20_000, retries: 0 };
/** As the sidecar has it. */
const MOST_BYTES = 64 << 20;

export class TrainingServers {
  records = $state.raw<readonly ServerRecord[]>([]);
  /** Null: this browser. */
  chosen = $state.raw<Chosen | null>(null);
  #turn = 0;

  constructor(
    private readonly store: Store,
    private readonly ask: Pick<Asking, 'diagnose'>,
    private readonly fetched: typeof fetch = (...request) => fetch(...request),
  ) {}

  /** Reads which servers there are; asks none. */
  async load(): Promise<void> {
    try {
      this.records = (await this.store.list()).filter(({ kind }) => kind === TRAINING);
    } catch {
      // Private windows keep no servers.
      this.records = [];
    }
  }

  /** Asks a server what it has; an address of none is this browser. */
  async choose(url: string): Promise<void> {
    const turn = ++this.#turn;
    const record = this.records.find((each) => each.url === url);
    if (!record) {
      this.chosen = null;
      return;
    }
    const show = (change: Partial<Chosen>): void => {
      const before = { record, status: 'asking' as const, info: null, datasets: [], finding: null };
      if (turn === this.#turn) this.chosen = { ...before, ...change };
    };
    show({});
    const server = await this.store.open(record);
    try {
      const sidecar = this.#sidecar(server);
      const [info, datasets] = await Promise.all([sidecar.info(), sidecar.datasets()]);
      show({ status: 'ready', info, datasets });
    } catch (error) {
      show({ status: 'failed', finding: await this.ask.diagnose(server, error, new AbortController().signal) });
    }
  }

  /** The runs of the chosen server. @throws Error for the reader */
  async runs(): Promise<readonly SidecarRun[]> {
    const { chosen } = this;
    return chosen ? this.#sidecar(await this.store.open(chosen.record)).runs() : [];
  }

  /**
   * Uploads a file of problems to the chosen server.
   * @returns the task that stands for it
   * @throws Error for the reader
   */
  async upload(file: File): Promise<string> {
    const { chosen } = this;
    if (!chosen) throw new Error('A data set is uploaded to a server: choose one first.');
    if (file.size > MOST_BYTES) throw new Error(`${file.name} is larger than the 64 MiB that a server takes.`);
    const lines = await file.text();
    let added: SidecarDataset;
    try {
      added = await this.#sidecar(await this.store.open(chosen.record)).addDataset(lines);
    } catch (error) {
      throw new Error(
        `${file.name}: ${problemsOf(error)
          .map(({ message }) => message)
          .join(' ')}`,
        { cause: error },
      );
    }
    if (this.chosen?.record === chosen.record) {
      this.chosen = { ...this.chosen, datasets: [...this.chosen.datasets, added] };
    }
    return added.task;
  }

  /** Starts a run on the chosen server, paused. @returns its id, or what the server doesn't take */
  async start(config: RunConfig, options: RemoteRunOptions): Promise<{ id: string } | { problems: ServerProblem[] }> {
    const { chosen } = this;
    if (!chosen?.info) return { problems: [{ field: '*', message: 'The server has not answered yet.' }] };
    return this.startOn(this.#sidecar(await this.store.open(chosen.record)), config, optionsFor(chosen.info, options));
  }

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

  #sidecar(server: ConstructorParameters<typeof Sidecar>[0]): Sidecar {
    return new Sidecar(server, null, { ...AT_ONCE, fetch: this.fetched });
  }
}
