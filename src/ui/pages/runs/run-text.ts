/** @file A saved run in words. */
import { t } from '../../../i18n';
import { runName } from '../../../runs/names';
import type { SavedRun } from '../../../storage/run-storage';
import { allTasks } from '../../../tasks';
import { formatWhen } from '../../parts/format-when';
import { presetOf } from '../train/settings/preset-of';
import type { RunEntry } from './saved-runs.svelte';

/**
 * The name that a person gave to a run. A run that was never renamed is called after its preset or its task and the time
 * when it was started, because the automatic name lists every changed setting and gets long.
 * @param now milliseconds since 1970
 */
export function runTitle(run: Pick<SavedRun, 'name' | 'config' | 'created'>, now: number, locale?: string): string {
  const automatic = runName(run.config);
  // Runs with the same settings are numbered.
  const isAutomatic = run.name.startsWith(automatic) && /^(?: \(\d+\))?$/.test(run.name.slice(automatic.length));
  if (!isAutomatic) return run.name;
  const task = allTasks.find(({ name }) => name === run.config.task)?.title ?? run.config.task;
  const what = presetOf(run.config)?.title ?? task;
  return t('runs:row.title', { what, when: formatWhen(run.created, now, locale) });
}

/** How far a run came, in a few words. */
export function statusText({ run, checkpoints }: RunEntry): string {
  const steps = { done: run.last_step, total: run.config.max_steps };
  if (run.status === 'failed') return t('runs:status.failed', steps);
  if (run.status === 'finished') {
    return steps.done < steps.total
      ? t('runs:status.stopped', steps)
      : t('runs:status.finished', { count: steps.done });
  }
  return checkpoints.length > 0 ? t('runs:status.resumable', steps) : t('runs:status.open', steps);
}

/** Whether a run can be resumed: it has a checkpoint, and steps left to do. */
export function canResume({ run, checkpoints }: RunEntry): boolean {
  return checkpoints.length > 0 && run.last_step < run.config.max_steps;
}
