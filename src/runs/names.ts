/** @file Names for runs that say what is special about them: `Chain sums · lr 0.001 · loss dr_grpo`. */
import { t } from '../i18n';
import type { RunConfig } from '../rl/config';
import { allTasks, getTask } from '../tasks';
import { changedFields } from './config';
import { describeField, getField } from './fields';
import type { FieldKey } from './fields';
import { modelLabel } from './model-capabilities';

/** How many differences a name lists before it says "+2 more". */
const SPELT_OUT = 4;

/** A name from what differs from the defaults. */
export function runName(config: RunConfig): string {
  const task = allTasks.some((each) => each.name === config.task) ? getTask(config.task).title : config.task;
  const differences = changedFields(config).filter((key) => key !== 'task');
  const spelt = differences.slice(0, SPELT_OUT).map((key) => describeDifference(config, key));
  const rest = differences.length - spelt.length;
  return [task, ...spelt, ...(rest > 0 ? [t('config:runName.more', { count: rest })] : [])].join(' · ');
}

function describeDifference(config: RunConfig, key: FieldKey): string {
  const value = getField(config, key);
  const { short } = describeField(key);
  if (key === 'model') return modelLabel(String(value));
  if (typeof value === 'boolean') return value ? short : t('config:runName.without', { name: short });
  return value === null ? t('config:runName.without', { name: short }) : `${short} ${value}`;
}

/** The name itself, or with the first number that makes it new: `Chain sums (2)`. */
export function uniqueName(name: string, taken: Iterable<string>): string {
  const used = new Set(taken);
  let candidate = name;
  for (let n = 2; used.has(candidate); n++) candidate = `${name} (${n})`;
  return candidate;
}
