/** @file An evaluation's answers as the page shows them: a line for each model, a row for each problem. */
import { majority, summarise, type Evaluation } from '../../../eval/evaluation';
import { byProblem } from '../../../storage/evaluation-export';
import type { EvaluationRun, StoredAnswer } from '../../../storage/evaluation-storage';
import type { EvalProblem } from '../../../eval/problem-set';

export interface ModelResult {
  label: string;
  /** Null without any answer. */
  summary: Evaluation | null;
  /** Answers that there are, and that there shall be. */
  done: number;
  total: number;
}

export function modelResults(
  run: EvaluationRun,
  exam: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): ModelResult[] {
  return run.models.map(({ label }, model) => {
    const own = answers.filter((answer) => answer.model === model);
    return {
      label,
      summary: own.length > 0 ? summarise(byProblem(own)) : null,
      done: own.length,
      total: exam.length * run.k,
    };
  });
}

/** One model's answers to one problem. */
export interface Cell {
  answers: StoredAnswer[];
  right: number;
  /** Given most often; null when none was. */
  said: string | null;
}

export interface ProblemRow {
  index: number;
  problem: EvalProblem;
  /** By model. */
  cells: Cell[];
}

export function problemRows(
  run: EvaluationRun,
  exam: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): ProblemRow[] {
  const rows = exam.map((problem, index): ProblemRow => ({
    index,
    problem,
    cells: run.models.map(() => ({ answers: [], right: 0, said: null })),
  }));
  for (const answer of answers) rows[answer.problem]?.cells[answer.model]?.answers.push(answer);
  for (const cell of rows.flatMap(({ cells }) => cells)) {
    cell.answers.sort((a, b) => a.sample - b.sample);
    cell.right = cell.answers.filter(({ correct }) => correct).length;
    cell.said = majority(cell.answers)?.answer ?? null;
  }
  return rows;
}

export type RowFilter = 'all' | 'wrong' | 'apart';

/** `wrong`: some answer is; `apart`: the models differ. */
export function filterRows(rows: readonly ProblemRow[], filter: RowFilter): readonly ProblemRow[] {
  const asked = ({ cells }: ProblemRow) => cells.filter((cell) => cell.answers.length > 0);
  if (filter === 'wrong') return rows.filter((row) => asked(row).some((cell) => cell.right < cell.answers.length));
  if (filter === 'apart') {
    return rows.filter((row) => new Set(asked(row).map((cell) => cell.right / cell.answers.length)).size > 1);
  }
  return rows;
}

/** 72.5%, 100%. */
export const formatShare = (share: number): string =>
  share === 0 || share === 1 ? `${100 * share}%` : `${(100 * share).toFixed(1)}%`;

/** 63.1% to 80.2%. */
export const formatInterval = ([low, high]: [number, number]): string => `${formatShare(low)} to ${formatShare(high)}`;

/** 9,400, 12.3k, 4.1M: as tokens are counted. */
export function formatCount(count: number): string {
  if (count < 9999.5) return Math.round(count).toLocaleString('en');
  const [value, unit] = count < 999_500 ? [count / 1e3, 'k'] : [count / 1e6, 'M'];
  return `${value.toFixed(value < 99.95 ? 1 : 0)}${unit}`;
}
