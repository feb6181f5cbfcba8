/** @file Another run on the charts of this one: a saved one or a recording, wherever it was made. */
import { messageOf } from '../../../../base/errors';
import { parseEvents } from '../../../../runs/event-schema';
import type { RunConfig, RunEvent } from '../../../../runs/events';
import { describeField, fieldKeys, getField, type FieldValue } from '../../../../runs/fields';
import { effectiveEvents } from '../../../../runs/history';
import type { RunStorage } from '../../../../storage/run-storage';
import { listRecordings, type RecordingEntry } from '../run/recordings';
import { emptyRun, reduceAll, type RunView } from '../run/run-view';
import { readRecording } from '../run/sources';

export interface Choice {
  key: string;
  label: string;
  group: 'Saved runs' | 'Recordings';
}

export interface ComparisonParts {
  storage: Pick<RunStorage, 'list' | 'events'>;
  recordings?: () => Promise<RecordingEntry[]>;
  readRecording?: (name: string) => Promise<string>;
}

export class Comparison {
  choices = $state.raw<readonly Choice[]>([]);
  /** The chosen run; null when there is none, or while it is read. */
  view = $state.raw<RunView | null>(null);
  /** Of the choice; empty for none. */
  key = $state('');
  problem = $state('');

  constructor(private readonly parts: ComparisonParts) {}

  /** What there is to compare with; a choice that is gone is dropped. */
  async load(): Promise<void> {
    const { storage, recordings = listRecordings } = this.parts;
    const runs = await storage.list().catch(() => []);
    this.choices = [
      ...runs.map(({ id, name }): Choice => ({ key: `run:${id}`, label: name, group: 'Saved runs' })),
      ...(await recordings()).map(({ name, title }): Choice => ({
        key: `recording:${name}`,
        label: title,
        group: 'Recordings',
      })),
    ];
    if (this.key && !this.choices.some(({ key }) => key === this.key)) await this.choose('');
  }

  async choose(key: string): Promise<void> {
    this.key = key;
    this.view = null;
    this.problem = '';
    if (!key) return;
    try {
      const events = await this.#events(key);
      if (this.key === key) this.view = reduceAll(emptyRun, effectiveEvents(events));
    } catch (error) {
      if (this.key === key) this.problem = messageOf(error);
    }
  }

  async #events(key: string): Promise<readonly RunEvent[]> {
    const { storage, readRecording: read = readRecording } = this.parts;
    const [kind, name] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
    return kind === 'run' ? storage.events(name) : parseEvents(await read(name));
  }
}

/** What sets the other run apart, each as "Learning rate 0.001 instead of 0.0003"; what computed it comes last. */
export function differences(own: RunView, other: RunView): string[] {
  const [a, b] = [own.started?.config, other.started?.config];
  if (!a || !b) return [];
  const settings = fieldKeys
    .filter((key) => !Object.is(valueOf(a, key), valueOf(b, key)))
    .map((key) => `${describeField(key).label} ${show(valueOf(b, key))} instead of ${show(valueOf(a, key))}`);
  const [here, there] = [own.started!.device, other.started!.device];
  // A recording doesn't say of what kind its device was, but it describes it.
  return here.description === there.description ? settings : [...settings, `made on ${there.description}`];
}

const valueOf = (config: RunConfig, key: (typeof fieldKeys)[number]): FieldValue => getField(config, key) ?? null;

function show(value: FieldValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return value === null ? 'none' : String(value);
}
