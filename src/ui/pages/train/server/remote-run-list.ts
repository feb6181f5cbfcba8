/**
 * @file Runs on GPU servers for the Train page: taken up by their address, with what is stored of them here, so that only
 * what is new comes over the network.
 */
import { Sidecar } from '../../../../servers/training/sidecar';
import type { SidecarRun } from '../../../../servers/training/sidecar-schema';
import { SidecarTrainer } from '../../../../servers/training/sidecar-trainer';
import type { AnyServer } from '../../../../servers/server';
import type { RunEvent } from '../../../../runs/events';
import type { RunStorage } from '../../../../storage/run-storage';
import type { RunSource } from '../run/run-source';

export interface RemoteRunParts {
  storage: Pick<RunStorage, 'get' | 'events'>;
  /** Keeps the run's events, of which `stored` are stored already; null where another tab does. */
  keep: (id: string, stored: number) => Promise<((event: RunEvent) => void) | null>;
}

/** A run that is on a server, as a source. @throws RemoteError or Error for the reader */
export async function remoteRunSource(server: AnyServer, id: string, parts: RemoteRunParts): Promise<RunSource> {
  const sidecar = new Sidecar(server);
  const run = await sidecar.run(id);
  if (!run.config) throw new Error(`The run ${id} on ${server.label} was made by another version, and can't be shown.`);
  const history = await beginningOf(sidecar, run, parts.storage);
  const listen = await parts.keep(id, history.length);
  const { label, url } = server;
  return {
    kind: 'live',
    config: run.config,
    // Watched for as long as the page is open: a server that is away for an hour may come back.
    make: () => new SidecarTrainer(new Sidecar(server, null, { patienceMs: Infinity }), {}, history.length),
    resume: { run_id: id, step: 0 },
    history,
    ...(listen && { listen }),
    remote: { sidecar, label, url, id, options: run.remote ?? {} },
  };
}

/**
 * The events of a run that are stored here, if the server's own begin with them: the last of them is asked for, and the
 * server only ever adds to what it has. Otherwise none, and all come again.
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
    // No storage, or nothing to be read there: the server has it all.
    return [];
  }
}
