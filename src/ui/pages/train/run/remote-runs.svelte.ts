/** @file Opening and saving runs on GPU servers, and what keeps one from being watched. */
import { t } from '../../../../i18n';
import { messageOf } from '../../../../base/errors';
import { addressSpace, thisPage } from '../../../../servers/diagnose';
import { quoted, RemoteError } from '../../../../servers/errors';
import type { AnyServer } from '../../../../servers/server';
import { TRAINING } from '../../../../servers/kinds';
import type { ServerRecord, ServerStore } from '../../../../servers/server-store';
import type { RunEvent } from '../../../../runs/events';
import type { RunStorage } from '../../../../storage/run-storage';
import type { Finding, ServerClient } from '../../connect/server-client';
import { RunSaver } from './run-saver';
import { acquireTabLock, lockOfRun } from './tab-lock';

/** Why the run that the address names can't be watched. */
export interface RemoteRunProblem {
  /** The server's address. */
  url: string;
  finding: Finding;
  /** Whether the server is one of those on the Connect page. */
  known: boolean;
  /** Whether the server asks for a key, or for another one. */
  needsKey: boolean;
}

export class RemoteRuns {
  problem = $state.raw<RemoteRunProblem | null>(null);
  /** Saves the remote run on the page. Other tabs can't save it until `release` is called. */
  #saving: { saver: RunSaver; release: () => Promise<void> } | null = null;

  constructor(
    private readonly servers: Pick<ServerStore, 'list' | 'open' | 'save'>,
    private readonly asking: ServerClient,
    private readonly storage: RunStorage,
    private readonly onWarning: (message: string) => void,
  ) {}

  /** A server that the user has added. @throws Error for the user if there is none at this address */
  async server(url: string): Promise<AnyServer> {
    const record = await this.#record(url);
    if (!record) {
      throw new Error(t('train:remote.unknownServer', { server: quoted(url) }));
    }
    return this.servers.open(record);
  }

  /** A problem if the browser would ask for permission to reach the server: only a click may lead to that question. */
  async permissionProblem(url: string): Promise<RemoteRunProblem | null> {
    const page = thisPage();
    // eslint-disable-next-line svelte/prefer-svelte-reactivity -- read once, never changed
    const space = addressSpace(new URL(url).hostname);
    if (space === 'public' || addressSpace(location.hostname) !== 'public') return null;
    const names = [space === 'loopback' ? 'loopback-network' : 'local-network', 'local-network-access'];
    const states = await Promise.all(names.map((name) => page.permission(name)));
    if (!states.includes('prompt')) return null;
    const finding: Finding = {
      title: t('train:remote.permissionTitle'),
      text: t('train:remote.permission'),
      remedies: [],
    };
    return { url, finding, known: true, needsKey: false };
  }

  /** Finds out why a run can't be watched. */
  async explain(url: string, error: unknown): Promise<RemoteRunProblem> {
    const record = await this.#record(url).catch(() => undefined);
    const code = error instanceof RemoteError ? error.code : undefined;
    const needsKey = record !== undefined && code === 'auth';
    const unreached = code === 'unreachable' || code === 'stalled';
    const finding: Finding =
      record && unreached
        ? await this.asking.diagnose(await this.servers.open(record), error, new AbortController().signal)
        : {
            title: t(needsKey ? 'train:remote.keyTitle' : 'train:remote.failedTitle'),
            text: messageOf(error),
            remedies: [],
          };
    return { url, finding, known: record !== undefined, needsKey };
  }

  /** Stores a server's key. @returns whether there is such a server @throws Error for the user */
  async saveKey(url: string, secret: string, keep: boolean): Promise<boolean> {
    const record = await this.#record(url);
    if (!record) return false;
    await this.servers.save(record, { secret, keep });
    return true;
  }

  /**
   * Starts saving a remote run.
   * @param stored number of its events that are stored already
   * @returns what takes the events after those; null if another tab saves the run
   */
  async save(id: string, stored: number): Promise<((event: RunEvent) => void) | null> {
    await this.stopSaving();
    const release = await acquireTabLock(lockOfRun(id));
    if (!release) return null;
    const saver = new RunSaver(this.storage, this.onWarning, stored > 0 ? id : null);
    this.#saving = { saver, release };
    return (event) => saver.add(event);
  }

  async stopSaving(): Promise<void> {
    const saving = this.#saving;
    this.#saving = null;
    await saving?.saver.flush();
    await saving?.release();
  }

  async flush(): Promise<void> {
    await this.#saving?.saver.flush();
  }

  async #record(url: string): Promise<ServerRecord | undefined> {
    return (await this.servers.list()).find((record) => record.kind === TRAINING && record.url === url);
  }
}
