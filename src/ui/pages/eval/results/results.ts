/** @file An evaluation's answers as the page shows them: a result for each model, and a row for each problem. */
import { language, t } from '../../../../i18n';
import { majority, summarise, type Evaluation } from '../../../../eval/evaluation';
import { byProblem } from '../../../../storage/evaluation-export';
import type { EvaluationRun, StoredAnswer } from '../../../../storage/evaluation-storage';
import type { EvalProblem } from '../../../../eval/problem-set';

export interface ModelResult {
  label: string;
  /** Null while there is no answer. */
  summary: Evaluation | null;
  /** Number of answers so far, and in the end. */
  done: number;
  total: number;
}

export function modelResults(
  run: EvaluationRun,
  problems: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): ModelResult[] {
  return run.models.map(({ label }, model) => {
    const own = answers.filter((answer) => answer.model === model);
    return {
      label,
      summary: own.length > 0 ? summarise(byProblem(own)) : null,
      done: own.length,
      total: problems.length * run.k,
    };
  });
}

/** One model's answers to one problem. */
export interface Cell {
  answers: StoredAnswer[];
  right: number;
  /** The most frequent final answer; null when there is none. */
  commonest: string | null;
}

export interface ProblemRow {
  index: number;
  problem: EvalProblem;
  /** One for each model. */
  cells: Cell[];
}

export function problemRows(
  run: EvaluationRun,
  problems: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): ProblemRow[] {
  const rows = problems.map((problem, index): ProblemRow => ({
    index,
    problem,
    cells: run.models.map(() => ({ answers: [], right: 0, commonest: null })),
  }));
  for (const answer of answers) rows[answer.problem]?.cells[answer.model]?.answers.push(answer);
  for (const cell of rows.flatMap(({ cells }) => cells)) {
    cell.answers.sort((a, b) => a.sample - b.sample);
    cell.right = cell.answers.filter(({ correct }) => correct).length;
    cell.commonest = majority(cell.answers)?.answer ?? null;
  }
  return rows;
}

export type RowFilter = 'all' | 'wrong' | 'different';

/** `wrong`: at least one answer is wrong; `different`: the models' shares of correct answers differ. */
export function matchesFilter({ cells }: ProblemRow, filter: RowFilter): boolean {
  const asked = cells.filter((cell) => cell.answers.length > 0);
  if (filter === 'wrong') return asked.some((cell) => cell.right < cell.answers.length);
  if (filter === 'different') return new Set(asked.map((cell) => cell.right / cell.answers.length)).size > 1;
  return true;
}

/** 72.5%, 100%. */
export const formatShare = (share: number): string =>
  share === 0 || share === 1 ? `${100 * share}%` : `${(100 * share).toFixed(1)}%`;

/** 63.1% to 80.2%. */
export const formatInterval = ([low, high]: [number, number]): string =>
  t('eval:models.from', { low: formatShare(low), high: formatShare(high) });

/** 9,400, 12.3k, 4.1M: a number of tokens. */
export function formatCount(count: number): string {
  if (count < 9999.5) return Math.round(count).toLocaleString(language());
  const [value, unit] = count < 999_500 ? [count / 1e3, 'k'] : [count / 1e6, 'M'];
  return `${value.toFixed(value < 99.95 ? 1 : 0)}${unit}`;
}
