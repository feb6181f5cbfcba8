/** @file Names for evaluations and distillations. */
import type { EvaluationRun } from '../../../../storage/evaluation-storage';
import { t } from '../../../../i18n';
import { allTasks } from '../../../../tasks';

/** What was asked, in a few words: `Chain sums, difficulty 8: 20 problems × 4 answers`. */
export function evaluationName({ source, k }: Pick<EvaluationRun, 'source' | 'k'>): string {
  const subject =
    source.kind === 'file'
      ? source.name.replace(/\.jsonl?$/i, '')
      : t('eval:name.task', { task: taskTitle(source.task), difficulty: source.difficulty });
  const count = source.kind === 'file' ? source.problems.length : source.n;
  return k > 1 ? t('eval:name.repeated', { subject, count, k }) : t('eval:name.once', { subject, count });
}

/** The title of a task; the name of an unknown one as it is. */
export const taskTitle = (task: string): string => allTasks.find(({ name }) => name === task)?.title ?? task;
