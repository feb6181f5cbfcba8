/** @file From the address to a run: a live one here or on a server, a recording, a saved run, or one that continues. */
import { t } from '../../../../i18n';
import { parseEvents } from '../../../../runs/event-schema';
import type { AnyServer } from '../../../../servers/server';
import type { RunConfig, RunEvent, StartedEvent } from '../../../../runs/events';
import { gunzipText } from '../../../../base/gzip';
import { effectiveEvents } from '../../../../runs/history';
import { RecordedTrainer } from '../../../../runs/recording';
import type { RunStorage } from '../../../../storage/run-storage';
import type { RunObserver, Trainer } from '../../../../runs/trainer';
import { remoteRunSource, type RemoteRunParts } from '../server/remote-run-source';
import { configFromLink } from './link-config';
import type { RunSource } from './run-source';

/** Milliseconds between the steps of a recording: quick to watch, but slow enough to read a chart. */
const RECORDING_PACE = 250;

export interface SourceParts {
  /** Makes a trainer on this device. */
  local: () => Trainer | Promise<Trainer>;
  storage: Pick<RunStorage, 'get' | 'events'>;
  /** Saves the events of local runs. */
  keep: (event: RunEvent) => void;
  /** A server that the user has added. @throws Error for the user if there is none at this address */
  server: (url: string) => Promise<AnyServer>;
  /** Saves a remote run; see `RemoteRunParts`. */
  keepRemote: RemoteRunParts['keep'];
  /** Fetches a recording by its name. */
  fetchRecording?: (name: string) => Promise<Uint8Array<ArrayBuffer>>;
}

/** @throws Error for the user if the run that the address names doesn't exist or can't be read */
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
  if (!(await parts.storage.get(run))) throw new Error(t('train:run.notSaved'));
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

/** A saved run, shown as far as it got. A reset trains it again. */
function savedSource(events: readonly RunEvent[], parts: SourceParts): RunSource {
  return {
    kind: 'saved',
    config: configAt(events, Infinity),
    make: () => new WholeRecording(events),
    again: (config) => liveSource(config, parts),
  };
}

/**
 * A saved run that continues from one of its checkpoints, with the live settings that it had there.
 * @param maxSteps the step at which it ends; without it, the one in its config
 */
export function resumedSource(
  events: readonly RunEvent[],
  step: number,
  parts: SourceParts,
  maxSteps?: number,
): RunSource {
  const history = effectiveEvents(events).filter((event) => {
    if (event.type === 'finished' || event.type === 'failed') return false;
    return event.type === 'started' || event.step <= step;
  });
  const started = startOf(history);
  const config = configAt(events, step);
  return {
    ...liveSource(maxSteps === undefined ? config : { ...config, max_steps: maxSteps }, parts),
    history,
    resume: { run_id: started.run_id, step },
    again: () => liveSource(started.config, parts),
  };
}

/** The config of a run at a step. A run that was resumed may have started with another one, such as more steps. */
function configAt(events: readonly RunEvent[], step: number): RunConfig {
  return events.reduce((config, event) => {
    if (event.type === 'started') return event.config;
    return event.type === 'changed' && event.step <= step ? { ...config, ...event.change } : config;
  }, startOf(events).config);
}

/** A recording that shows everything at once. */
class WholeRecording extends RecordedTrainer {
  override async start(config: RunConfig, observer: RunObserver): Promise<void> {
    await super.start(config, observer);
    this.seek(this.steps);
  }
}

function startOf(events: readonly RunEvent[]): StartedEvent {
  const [started] = events;
  if (started?.type !== 'started') throw new Error(t('train:recordings.noStart'));
  return started;
}

/** The text of a recording. @throws Error for the user */
export async function readRecording(
  name: string,
  { fetchRecording = fetchPublic }: Pick<SourceParts, 'fetchRecording'> = {},
): Promise<string> {
  if (!/^[\w-]{1,64}$/.test(name)) throw new Error(t('train:recordings.badName'));
  const bytes = await fetchRecording(name);
  // Some servers decompress the file on the way. The first bytes tell.
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipText(bytes) : new TextDecoder().decode(bytes);
}

async function fetchPublic(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`recordings/${name}.jsonl.gz`);
  // Some servers answer an unknown address with the app's own page.
  if (!response.ok || response.headers.get('content-type')?.startsWith('text/html')) {
    throw new Error(t('train:recordings.missing', { name }));
  }
  return new Uint8Array(await response.arrayBuffer());
}
