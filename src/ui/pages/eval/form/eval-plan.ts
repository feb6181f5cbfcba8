/** @file What the form of the Eval page holds, and whether it can be started. */
import { MAX_FILE, parseProblems, ProblemFileError, type FileProblem } from '../../../../eval/problem-file';
import { t } from '../../../../i18n';
import { bounds } from '../../../../storage/evaluation-storage';
import { getTask } from '../../../../tasks';
import type { ModelChoice } from '../../chat/models/models';
import type { NewEvaluation } from '../run/evaluation-state.svelte';
import { defaultSampling, samplingOf, samplingProblems, wholeProblem, type SamplingPlan } from './sampling-plan';

export interface ProblemFile {
  name: string;
  problems: FileProblem[];
}

/** Numbers are null where their field is empty, and NaN where it holds anything else than a number. */
export interface EvalPlan extends SamplingPlan {
  kind: 'task' | 'file';
  task: string;
  difficulty: number | null;
  /** The number of problems; of a file, the first ones are taken. */
  n: number | null;
  /** The number of answers per problem. */
  k: number | null;
  /** Ids of the models to ask. */
  models: readonly string[];
}

export const defaultEvalPlan = (task: string): EvalPlan => ({
  ...defaultSampling,
  kind: 'task',
  task,
  difficulty: getTask(task).difficulty.default,
  n: 20,
  k: 1,
  models: [],
});

/**
 * Reads a file of problems.
 * @throws Error with a message for the user
 */
export async function readProblemFile(file: File): Promise<ProblemFile> {
  const { name } = file;
  if (file.size > MAX_FILE) throw new Error(t('eval:file.tooLarge', { name, megabytes: MAX_FILE / 1e6 }));
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(t('eval:file.notText', { name }));
  }
  try {
    return { name: name.slice(0, 300), problems: parseProblems(text) };
  } catch (error) {
    throw error instanceof ProblemFileError
      ? new Error(t('eval:file.problem', { name, reason: error.message }))
      : error;
  }
}

/** Toy models know only the tasks of this app, and no language. */
export const canAnswer = (
  { toy }: Pick<ModelChoice, 'toy'>,
  { kind, task }: Pick<EvalPlan, 'kind' | 'task'>,
): boolean => !toy || (kind === 'task' && getTask(task).instruction === undefined);

/** Everything that is wrong with the plan, in sentences; empty when it can be started. */
export function planProblems(plan: EvalPlan, file: ProblemFile | null, models: readonly ModelChoice[]): string[] {
  const { difficulty } = getTask(plan.task);
  const available = plan.kind === 'file' && file ? Math.min(bounds.n, file.problems.length) : bounds.n;
  const chosen = chosenModels(plan, models);
  return [
    ...(plan.kind === 'file'
      ? file
        ? []
        : [t('eval:invalid.file')]
      : wholeProblem('difficulty', plan.difficulty, difficulty.min, difficulty.max)),
    ...wholeProblem('n', plan.n, 1, available),
    ...(chosen.length === 0 ? [t('eval:invalid.models')] : []),
    ...(chosen.length > bounds.models ? [t('eval:invalid.tooManyModels', { count: bounds.models })] : []),
    ...wholeProblem('k', plan.k, 1, bounds.k),
    ...samplingProblems(plan),
  ];
}

/** The plan's models that are available and know its problems, in the order of the list. */
export const chosenModels = (plan: EvalPlan, models: readonly ModelChoice[]): ModelChoice[] =>
  models.filter((model) => plan.models.includes(model.id) && canAnswer(model, plan));

/** @throws Error when there are `planProblems` */
export function evaluationOf(plan: EvalPlan, file: ProblemFile | null, models: readonly ModelChoice[]): NewEvaluation {
  const problems = planProblems(plan, file, models);
  if (problems.length > 0) throw new Error(problems.join(' '));
  const { kind, task, difficulty, n, k } = plan;
  return {
    source:
      kind === 'task'
        ? { kind: 'held-out', task, difficulty: difficulty!, n: n! }
        : { kind, name: file!.name, problems: file!.problems.slice(0, n!) },
    k: k!,
    ...samplingOf(plan),
    models: chosenModels(plan, models).map(({ id, label, toy }) => ({ id, label, toy })),
  };
}
