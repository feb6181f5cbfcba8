/** @file A second run on the charts: a saved run or a recording. */
import { t } from '../../../../i18n';
import { messageOf } from '../../../../base/errors';
import { parseEvents } from '../../../../runs/event-schema';
import type { RunConfig, RunEvent } from '../../../../runs/events';
import { fieldKeys, getField } from '../../../../runs/fields';
import { effectiveEvents } from '../../../../runs/history';
import type { RunStorage } from '../../../../storage/run-storage';
import { formatValue, settingLabel } from '../run/describe-change';
import { listRecordings, type RecordingEntry } from '../run/recordings';
import { emptyRun, reduceAll, type RunView } from '../run/run-view';
import { readRecording } from '../run/sources';

export interface Choice {
  key: string;
  label: string;
  /** Heading in the list of choices. */
  group: string;
}

export interface ComparisonParts {
  storage: Pick<RunStorage, 'list' | 'events'>;
  recordings?: () => Promise<RecordingEntry[]>;
  readRecording?: (name: string) => Promise<string>;
}

export class Comparison {
  choices = $state.raw<readonly Choice[]>([]);
  /** The chosen run; null if there is none or while it is loading. */
  view = $state.raw<RunView | null>(null);
  /** Key of the choice; empty for none. */
  key = $state('');
  problem = $state('');

  constructor(private readonly parts: ComparisonParts) {}

  /** Loads the choices, and drops the chosen run if it is gone. */
  async load(): Promise<void> {
    const { storage, recordings = listRecordings } = this.parts;
    const runs = await storage.list().catch(() => []);
    this.choices = [
      ...runs.map(({ id, name }): Choice => ({ key: `run:${id}`, label: name, group: t('train:compare.savedRuns') })),
      ...(await recordings()).map(({ name, title }): Choice => ({
        key: `recording:${name}`,
        label: title,
        group: t('train:compare.recordings'),
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

/** How another run differs, such as “Learning rate 0.001 instead of 3e−4”. The device comes last. */
export function differences(own: RunView, other: RunView): string[] {
  if (!own.started || !other.started) return [];
  const [a, b] = [own.started.config, other.started.config];
  const value = (config: RunConfig, key: (typeof fieldKeys)[number]) => getField(config, key) ?? null;
  const settings = fieldKeys
    .filter((key) => !Object.is(value(a, key), value(b, key)))
    .map((key) =>
      t('train:compare.difference', {
        label: settingLabel(key),
        value: formatValue(value(b, key)),
        own: formatValue(value(a, key)),
      }),
    );
  const [here, there] = [own.started.device, other.started.device];
  // A recording has the same description as the device it was made on, but not its kind.
  const same = here.description === there.description;
  return same ? settings : [...settings, t('train:compare.madeOn', { device: there.description })];
}
