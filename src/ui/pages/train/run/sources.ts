/** @file From the address to a run: a live one, here or on a server, a recording, a saved one, or a saved one that goes on. */
import { parseEvents } from '../../../../runs/event-schema';
import type { AnyServer } from '../../../../servers/server';
import type { RunConfig, RunEvent, StartedEvent } from '../../../../runs/events';
import { gunzipText } from '../../../../base/gzip';
import { effectiveEvents } from '../../../../runs/history';
import { RecordedTrainer } from '../../../../runs/recording';
import type { RunStorage } from '../../../../storage/run-storage';
import type { Trainer } from '../../../../runs/trainer';
import { remoteRunSource, type RemoteRunParts } from '../server/remote-run-list';
import { configFromLink } from './link-config';
import type { RunSource } from './run-source';

/** Milliseconds between the steps of a recording: quick to watch, slow enough to read a chart. */
const RECORDING_PACE = 250;

export interface SourceParts {
  /** A trainer on this machine. */
  local: () => Trainer | Promise<Trainer>;
  storage: Pick<RunStorage, 'get' | 'events'>;
  /** Gets the events of live runs. */
  keep: (event: RunEvent) => void;
  /** A server that the reader added, by its address. @throws Error for the reader when there is none */
  server: (url: string) => Promise<AnyServer>;
  /** Saves a remote run; see `RemoteRunParts`. */
  keepRemote: RemoteRunParts['keep'];
  /** The bytes of a recording by its name. */
  fetchRecording?: (name: string) => Promise<Uint8Array<ArrayBuffer>>;
}

/** @throws Error for the reader, when what the address names is not there or not a run. */
export async function openSource(params: URLSearchParams, parts: SourceParts): Promise<RunSource> {
  const recording = params.get('recording');
  if (recording !== null) return recordingSource(parseEvents(await readRecording(recording, parts)));
  const run = params.get('run');
  const server = params.get('server');
  if (server !== null && run !== null) {
    const { storage, keepRemote: keep } = parts;
    return remoteRunSource(await parts.server(server), run, { storage, keep });
  }
  if (run === null) return liveSource(configFromLink(params).config, parts);
  if (!(await parts.storage.get(run))) throw new Error('This run is not among the saved ones on this machine.');
  const events = await parts.storage.events(run);
  const resume = params.get('resume');
  return resume === null ? savedSource(events, parts) : resumedSource(events, Number(resume), parts);
}

export function liveSource(config: RunConfig, parts: SourceParts): RunSource {
  return { kind: 'live', config, make: parts.local, listen: parts.keep };
}

function recordingSource(events: readonly RunEvent[]): RunSource {
  const { config } = startOf(events);
  return { kind: 'recording', config, make: () => new RecordedTrainer(events, { pace: RECORDING_PACE }) };
}

/** A saved run as far as it came; a reset trains it anew. */
function savedSource(events: readonly RunEvent[], parts: SourceParts): RunSource {
  return {
    kind: 'saved',
    config: startOf(events).config,
    make: () => new WholeRecording(events),
    again: (config) => liveSource(config, parts),
  };
}

/** A saved run that goes on after one of its checkpoints, with the live settings it had there. */
function resumedSource(events: readonly RunEvent[], step: number, parts: SourceParts): RunSource {
  const history = effectiveEvents(events).filter((event) => {
    if (event.type === 'finished' || event.type === 'failed') return false;
    return event.type === 'started' || event.step <= step;
  });
  const started = startOf(history);
  const config = history.reduce(
    (now, event) => (event.type === 'changed' ? { ...now, ...event.change } : now),
    started.config,
  );
  return {
    ...liveSource(config, parts),
    history,
    resume: { run_id: started.run_id, step },
    again: () => liveSource(started.config, parts),
  };
}

/** A recording that shows everything at once. */
class WholeRecording extends RecordedTrainer {
  override async start(config: RunConfig, onEvent: (event: RunEvent) => void): Promise<void> {
    await super.start(config, onEvent);
    this.seek(this.steps);
  }
}

function startOf(events: readonly RunEvent[]): StartedEvent {
  const [started] = events;
  if (started?.type !== 'started') throw new Error('This recording does not begin with the start of a run.');
  return started;
}

/** A recording's lines. @throws Error for the reader */
export async function readRecording(
  name: string,
  { fetchRecording = fetchPublic }: Pick<SourceParts, 'fetchRecording'> = {},
): Promise<string> {
  if (!/^[\w-]{1,64}$/.test(name)) throw new Error('This is not the name of a recording.');
  const bytes = await fetchRecording(name);
  // Some servers unpack on the way, others don't: the first bytes tell.
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipText(bytes) : new TextDecoder().decode(bytes);
}

async function fetchPublic(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`recordings/${name}.jsonl.gz`);
  // A server that answers everything with the app's own page has no such file either.
  if (!response.ok || response.headers.get('content-type')?.startsWith('text/html')) {
    throw new Error(`There is no recording “${name}” here.`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
