/** @file The sampling settings that the user changed, saved by model. */
import type { SamplingSettings } from '../../../../storage/conversation';
import { settingFields, settingProblem } from './fields';

type Changes = Record<string, Partial<SamplingSettings>>;

const KEY = 'tinythink:chat-settings';

/** The changes by model id; empty if nothing is saved or storage is blocked. */
export function loadChanges(storage: Pick<Storage, 'getItem'> | undefined): Changes {
  const changes: Changes = {};
  try {
    const stored: unknown = JSON.parse(storage?.getItem(KEY) ?? '{}');
    for (const [model, values] of Object.entries(stored as Record<string, Record<string, number>>)) {
      const valid = settingFields.filter(
        (field) => field.name in values && settingProblem(field, values[field.name]) === null,
      );
      changes[model] = Object.fromEntries(valid.map(({ name }) => [name, values[name]]));
    }
  } catch {
    // Blocked, or written by something else: use the recommended settings.
  }
  return changes;
}

export function saveChanges(storage: Pick<Storage, 'setItem'> | undefined, changes: Changes): void {
  try {
    storage?.setItem(KEY, JSON.stringify(changes));
  } catch {
    // Blocked or full: the changes last until the page is closed.
  }
}
