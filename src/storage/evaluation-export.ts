/** @file An evaluation as files: all of it as JSON, a line for each answer as CSV. What a server's address or key is, is not in them. */
import { summarise } from '../eval/evaluation';
import type { EvaluationRun, StoredAnswer } from './evaluation-storage';
import type { EvalProblem } from '../eval/problem-set';
import type { ExportedFile } from '../runs/exchange';

/** The answers to each problem that there are, in order, by model. */
export function byProblem<T extends { problem: number; sample: number }>(answers: readonly T[]): { answers: T[] }[] {
  const groups = new Map<number, T[]>();
  for (const answer of answers) groups.set(answer.problem, [...(groups.get(answer.problem) ?? []), answer]);
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([, group]) => ({ answers: group.sort((a, b) => a.sample - b.sample) }));
}

export function exportJson(
  run: EvaluationRun,
  problems: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): ExportedFile {
  const models = run.models.map(({ label, settings }, model) => {
    const own = answers.filter((answer) => answer.model === model);
    return { label, settings, summary: own.length > 0 ? summarise(byProblem(own)) : null };
  });
  const content = {
    format: 'tinythink-evaluation',
    version: 1,
    created: new Date(run.created).toISOString(),
    problems_from: run.source.kind === 'file' ? { kind: 'file', name: run.source.name } : run.source,
    k: run.k,
    seed: run.seed,
    models,
    problems: problems.map(({ prompt, answer }) => ({ problem: prompt, answer })),
    answers: inOrder(answers),
  };
  return file(run, 'json', 'application/json', JSON.stringify(content, null, 1));
}

const COLUMNS = [
  'model',
  'problem',
  'question',
  'right_answer',
  'sample',
  'answer',
  'correct',
  'finished',
  'tokens',
  'thought_tokens',
  'prompt_tokens',
  'ms',
] as const;

export function exportCsv(
  run: EvaluationRun,
  problems: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): ExportedFile {
  const rows = inOrder(answers).map((answer): (string | number | boolean | null)[] => {
    const problem = problems[answer.problem];
    return [
      run.models[answer.model]?.label ?? '',
      answer.problem + 1,
      problem?.prompt ?? '',
      problem?.answer ?? '',
      answer.sample + 1,
      answer.answer,
      answer.correct,
      answer.finished,
      answer.tokens,
      answer.thought_tokens,
      answer.prompt_tokens,
      Math.round(answer.ms),
    ];
  });
  const lines = [[...COLUMNS], ...rows].map((cells) => `${cells.map(csvCell).join(',')}\n`);
  return file(run, 'csv', 'text/csv', lines.join(''));
}

const inOrder = (answers: readonly StoredAnswer[]): StoredAnswer[] =>
  [...answers].sort((a, b) => a.model - b.model || a.problem - b.problem || a.sample - b.sample);

/** Quoted where it must be. What a table program would take for a formula gets an apostrophe: models write anything. */
export function csvCell(value: string | number | boolean | null): string {
  if (value === null) return '';
  const text = String(value);
  const safe =
    typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && !/^[-+]?[\d.,]+$/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function file(run: EvaluationRun, ending: string, type: string, content: string): ExportedFile {
  const what = run.source.kind !== 'file' ? run.source.task : run.source.name.replace(/\.\w+$/, '');
  const day = new Date(run.created).toISOString().slice(0, 10);
  const name = `evaluation-${what.replace(/[^\w.-]+/g, '_').slice(0, 60)}-${day}.${ending}`;
  return { name, type, bytes: new TextEncoder().encode(content) };
}
