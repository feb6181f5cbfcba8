/** @file What the form of the Eval page says, and whether it can be asked. */
import { bounds } from '../../../storage/evaluation-storage';
import { MAX_FILE, parseProblems, ProblemFileError, type FileProblem } from '../../../eval/problem-file';
import { getTask } from '../../../tasks';
import type { ModelChoice } from '../chat/models/models';
import type { NewEvaluation } from './eval-state.svelte';

export interface ProblemFile {
  name: string;
  problems: FileProblem[];
}

/** Numbers are null where their field is empty, and NaN where it holds something else. */
export interface Plan {
  kind: 'task' | 'file';
  task: string;
  difficulty: number | null;
  /** Problems; of a file, the first so many. */
  n: number | null;
  k: number | null;
  seed: number | null;
  temperature: number | null;
  top_p: number | null;
  max_tokens: number | null;
  concurrency: number | null;
  per_minute: number | null;
  /** Ids. */
  models: readonly string[];
}

export const firstPlan = (task: string): Plan => ({
  kind: 'task',
  task,
  difficulty: getTask(task).difficulty.default,
  n: 20,
  k: 1,
  seed: 0,
  temperature: null,
  top_p: null,
  max_tokens: null,
  concurrency: 4,
  per_minute: null,
  models: [],
});

/**
 * Reads a file of problems.
 * @throws Error with a message for the user
 */
export async function readProblemFile(file: File): Promise<ProblemFile> {
  if (file.size > MAX_FILE) throw new Error(`${file.name} is larger than ${MAX_FILE / 1e6} MB.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is no text.`);
  }
  try {
    return { name: file.name.slice(0, 300), problems: parseProblems(text) };
  } catch (error) {
    throw error instanceof ProblemFileError ? new Error(`${file.name}: ${error.message}`) : error;
  }
}

/** Toy models know the tasks of this page and no language. */
export const canAnswer = ({ toy }: Pick<ModelChoice, 'toy'>, { kind, task }: Pick<Plan, 'kind' | 'task'>): boolean =>
  !toy || (kind === 'task' && getTask(task).instruction === undefined);

/** What is wrong with the plan, as a sentence; null when it can be asked. */
export function planProblem(plan: Plan, file: ProblemFile | null, models: readonly ModelChoice[]): string | null {
  if (plan.kind === 'file' && !file) return 'Choose a file with problems.';
  const { difficulty } = getTask(plan.task);
  const most = plan.kind === 'file' ? Math.min(bounds.n, file!.problems.length) : bounds.n;
  const problem =
    (plan.kind === 'task' ? whole('The difficulty', plan.difficulty, difficulty.min, difficulty.max) : null) ??
    whole('The number of problems', plan.n, 1, most) ??
    whole('The number of answers', plan.k, 1, bounds.k) ??
    whole('The seed', plan.seed, 0, 2 ** 31 - 1) ??
    between('The temperature', plan.temperature, 0, 5) ??
    between('Top-p', plan.top_p, 0.01, 1) ??
    (plan.max_tokens === null ? null : whole('The longest answer', plan.max_tokens, 1, bounds.max_tokens)) ??
    whole('“At once”', plan.concurrency, 1, bounds.concurrency) ??
    (plan.per_minute === null ? null : whole('“A minute”', plan.per_minute, 1, bounds.per_minute));
  if (problem) return problem;
  const chosen = chosenModels(plan, models);
  if (chosen.length === 0) return 'Choose a model.';
  return chosen.length > bounds.models ? `Choose at most ${bounds.models} models.` : null;
}

/** Those of the plan that are here and can answer it, in the order of the list. */
export const chosenModels = (plan: Plan, models: readonly ModelChoice[]): ModelChoice[] =>
  models.filter((model) => plan.models.includes(model.id) && canAnswer(model, plan));

/** @throws Error when `planProblem` has something to say */
export function evaluationOf(plan: Plan, file: ProblemFile | null, models: readonly ModelChoice[]): NewEvaluation {
  const problem = planProblem(plan, file, models);
  if (problem) throw new Error(problem);
  const { kind, task, difficulty, n, k, seed, temperature, top_p, max_tokens, concurrency, per_minute } = plan;
  return {
    source:
      kind === 'task'
        ? { kind, task, difficulty: difficulty!, n: n!, seed: seed! }
        : { kind, name: file!.name, problems: file!.problems.slice(0, n!) },
    k: k!,
    seed: seed!,
    sampling: {
      ...(temperature !== null && { temperature }),
      ...(top_p !== null && { top_p }),
      ...(max_tokens !== null && { max_tokens }),
    },
    pace: { concurrency: concurrency!, per_minute },
    models: chosenModels(plan, models).map(({ id, label, toy }) => ({ id, label, toy })),
  };
}

/** What is wrong with a whole number, as a sentence. */
export function whole(what: string, value: number | null, low: number, high: number): string | null {
  return value !== null && Number.isInteger(value) && value >= low && value <= high
    ? null
    : `${what} must be a whole number from ${low} to ${high.toLocaleString('en')}.`;
}

/** Null values are fine: as recommended. */
export function between(what: string, value: number | null, low: number, high: number): string | null {
  return value === null || (value >= low && value <= high) ? null : `${what} must be between ${low} and ${high}.`;
}
