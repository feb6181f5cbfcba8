/**
 * @file Opens a run on a GPU server for the Train page. Its events that are stored on this device are shown from there, so
 * that only new ones come over the network.
 */
import { t } from '../../../../i18n';
import { Sidecar } from '../../../../servers/training/sidecar';
import type { SidecarRun } from '../../../../servers/training/sidecar-schema';
import { SidecarTrainer } from '../../../../servers/training/sidecar-trainer';
import type { AnyServer } from '../../../../servers/server';
import type { RunEvent } from '../../../../runs/events';
import type { RunStorage } from '../../../../storage/run-storage';
import type { RunSource } from '../run/run-source';

export interface RemoteRunParts {
  storage: Pick<RunStorage, 'get' | 'events'>;
  /** Starts saving the run's events after the `stored` ones that are saved already; null when another tab saves them. */
  keep: (id: string, stored: number) => Promise<((event: RunEvent) => void) | null>;
}

/** The source of a run on a server. @throws RemoteError or Error with a message for the user */
export async function remoteRunSource(server: AnyServer, id: string, parts: RemoteRunParts): Promise<RunSource> {
  const sidecar = new Sidecar(server);
  const run = await sidecar.run(id);
  if (!run.config) throw new Error(t('servers:run.otherVersion', { id, server: server.label }));
  const history = await beginningOf(sidecar, run, parts.storage);
  const listen = await parts.keep(id, history.length);
  const { label, url } = server;
  return {
    kind: 'live',
    config: run.config,
    // Keep trying to reconnect for as long as the page is open, since a server may come back after an hour.
    make: () => new SidecarTrainer(new Sidecar(server, null, { reconnectTimeoutMs: Infinity }), {}, history.length),
    resume: { run_id: id, step: 0 },
    history,
    ...(listen && { listen }),
    remote: { sidecar, label, url, id, options: run.remote ?? {} },
  };
}

/**
 * The stored events of a run, if the server's events begin with them; otherwise none. It is enough to compare the last
 * stored event, since the server only ever appends.
 */
async function beginningOf(
  sidecar: Sidecar,
  run: SidecarRun,
  storage: RemoteRunParts['storage'],
): Promise<readonly RunEvent[]> {
  const events = await stored(run.id, storage);
  const last = events.at(-1);
  if (!last || events.length > run.events) return [];
  for await (const message of sidecar.watch(run.id, events.length - 1)) {
    if (message.kind === 'run') return JSON.stringify(message.event) === JSON.stringify(last) ? events : [];
  }
  return [];
}

async function stored(id: string, storage: RemoteRunParts['storage']): Promise<readonly RunEvent[]> {
  try {
    return (await storage.get(id)) ? await storage.events(id) : [];
  } catch {
    // Errors are ignored: the server has all the events.
    return [];
  }
}
