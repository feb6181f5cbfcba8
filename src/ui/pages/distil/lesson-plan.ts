/** @file What the form of the Distil page says, and whether it can be asked. */
import { bounds } from '../../../storage/evaluation-storage';
import { hasNotation, type Notation } from '../../../eval/problem-set';
import { getTask } from '../../../tasks';
import type { ModelChoice } from '../chat/models/models';
import type { NewEvaluation } from '../eval/eval-state.svelte';
import { between, canAnswer, whole } from '../eval/plan';

/** Numbers are null where their field is empty, and NaN where it holds something else. */
export interface LessonPlan {
  /** Id of a model. */
  teacher: string;
  task: string;
  difficulty: number | null;
  n: number | null;
  k: number | null;
  notation: Notation;
  seed: number | null;
  temperature: number | null;
  top_p: number | null;
  max_tokens: number | null;
  concurrency: number | null;
  per_minute: number | null;
}

export const firstLessons = (teacher: string, task = 'sum'): LessonPlan => ({
  teacher,
  task,
  difficulty: getTask(task).difficulty.default,
  n: 200,
  k: 2,
  notation: 'short',
  seed: 0,
  temperature: null,
  top_p: null,
  max_tokens: null,
  concurrency: 4,
  per_minute: null,
});

/** Toy models know the tasks of the page and no language. */
export const canTeach = (model: Pick<ModelChoice, 'toy'>, { task }: Pick<LessonPlan, 'task'>): boolean =>
  canAnswer(model, { kind: 'task', task });

export const teacherOf = (plan: LessonPlan, models: readonly ModelChoice[]): ModelChoice | undefined =>
  models.find((model) => model.id === plan.teacher && canTeach(model, plan));

/** Whether there is a notation to choose: who writes it anyway is not told how. */
export const choosesNotation = (plan: LessonPlan, models: readonly ModelChoice[]): boolean =>
  hasNotation(getTask(plan.task)) && !teacherOf(plan, models)?.toy;

/** What is wrong with the plan, as a sentence; null when it can be asked. */
export function lessonProblem(plan: LessonPlan, models: readonly ModelChoice[]): string | null {
  const { difficulty } = getTask(plan.task);
  return (
    (teacherOf(plan, models) ? null : 'Choose a teacher.') ??
    whole('The difficulty', plan.difficulty, difficulty.min, difficulty.max) ??
    whole('The number of problems', plan.n, 1, bounds.n) ??
    whole('The number of answers', plan.k, 1, bounds.k) ??
    whole('The seed', plan.seed, 0, 2 ** 31 - 1) ??
    between('The temperature', plan.temperature, 0, 5) ??
    between('Top-p', plan.top_p, 0.01, 1) ??
    (plan.max_tokens === null ? null : whole('The longest answer', plan.max_tokens, 1, bounds.max_tokens)) ??
    whole('“At once”', plan.concurrency, 1, bounds.concurrency) ??
    (plan.per_minute === null ? null : whole('“A minute”', plan.per_minute, 1, bounds.per_minute))
  );
}

/** @throws Error when `lessonProblem` has something to say */
export function lessonsOfPlan(plan: LessonPlan, models: readonly ModelChoice[]): NewEvaluation {
  const problem = lessonProblem(plan, models);
  if (problem) throw new Error(problem);
  const { id, label, toy } = teacherOf(plan, models)!;
  const { task, difficulty, n, k, seed, temperature, top_p, max_tokens, concurrency, per_minute } = plan;
  const notation = hasNotation(getTask(task)) ? (toy ? 'short' : plan.notation) : 'free';
  return {
    source: { kind: 'lessons', task, difficulty: difficulty!, n: n!, seed: seed!, notation },
    k: k!,
    seed: seed!,
    sampling: {
      ...(temperature !== null && { temperature }),
      ...(top_p !== null && { top_p }),
      ...(max_tokens !== null && { max_tokens }),
    },
    pace: { concurrency: concurrency!, per_minute },
    models: [{ id, label, toy }],
  };
}
