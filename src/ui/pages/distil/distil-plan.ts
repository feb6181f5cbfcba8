/** @file What the form of the Distil page holds, and whether it can be started. */
import { hasNotation, type Notation } from '../../../eval/problem-set';
import { t } from '../../../i18n';
import { bounds } from '../../../storage/evaluation-storage';
import { getTask } from '../../../tasks';
import type { ModelChoice } from '../chat/models/models';
import { canAnswer } from '../eval/form/eval-plan';
import {
  defaultSampling,
  samplingOf,
  samplingProblems,
  wholeProblem,
  type SamplingPlan,
} from '../eval/form/sampling-plan';
import type { NewEvaluation } from '../eval/run/evaluation-state.svelte';

/** Numbers are null where their field is empty, and NaN where it holds anything else than a number. */
export interface DistilPlan extends SamplingPlan {
  /** Id of a model. */
  teacher: string;
  task: string;
  difficulty: number | null;
  /** The number of problems. */
  n: number | null;
  /** The number of answers per problem. */
  k: number | null;
  notation: Notation;
}

export const defaultDistilPlan = (teacher: string, task = 'sum'): DistilPlan => ({
  ...defaultSampling,
  teacher,
  task,
  difficulty: getTask(task).difficulty.default,
  n: 200,
  k: 2,
  notation: 'short',
});

/** Toy models know only the tasks of this app, and no language. */
export const canTeach = (model: Pick<ModelChoice, 'toy'>, { task }: Pick<DistilPlan, 'task'>): boolean =>
  canAnswer(model, { kind: 'task', task });

export const teacherOf = (plan: DistilPlan, models: readonly ModelChoice[]): ModelChoice | undefined =>
  models.find((model) => model.id === plan.teacher && canTeach(model, plan));

/** Whether there is a notation to choose. Toy models always write the short one. */
export const choosesNotation = (plan: DistilPlan, models: readonly ModelChoice[]): boolean =>
  hasNotation(getTask(plan.task)) && !teacherOf(plan, models)?.toy;

/** Everything that is wrong with the plan, in sentences; empty when it can be started. */
export function distilProblems(plan: DistilPlan, models: readonly ModelChoice[]): string[] {
  const { difficulty } = getTask(plan.task);
  return [
    ...(teacherOf(plan, models) ? [] : [t('distil:form.noTeacher')]),
    ...wholeProblem('difficulty', plan.difficulty, difficulty.min, difficulty.max),
    ...wholeProblem('n', plan.n, 1, bounds.n),
    ...wholeProblem('k', plan.k, 1, bounds.k),
    ...samplingProblems(plan),
  ];
}

/** @throws Error when there are `distilProblems` */
export function distillationOf(plan: DistilPlan, models: readonly ModelChoice[]): NewEvaluation {
  const problems = distilProblems(plan, models);
  if (problems.length > 0) throw new Error(problems.join(' '));
  const { id, label, toy } = teacherOf(plan, models)!;
  const { task, difficulty, n, k, seed } = plan;
  const notation = hasNotation(getTask(task)) ? (toy ? 'short' : plan.notation) : 'free';
  return {
    source: { kind: 'teaching', task, difficulty: difficulty!, n: n!, seed: seed!, notation },
    k: k!,
    ...samplingOf(plan),
    models: [{ id, label, toy }],
  };
}
