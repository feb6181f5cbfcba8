/** @file A teacher's answers, as the Distil page shows them and as a data set. */
import { parseModelId } from '../../../runs/model-id';
import {
  datasetName,
  filterAnswers,
  keptSamples,
  type DistilledSample,
  type FilteredAnswer,
  type TeachingSource,
  type Teacher,
} from '../../../eval/distillation';
import type { EvaluationRun, StoredAnswer } from '../../../storage/evaluation-storage';
import { bareMessages, type EvalProblem } from '../../../eval/problem-set';
import { configForTask, configToParams, defaultRunConfig } from '../../../runs/config';
import type { DatasetRecord } from '../../../storage/dataset-storage';
import { tasks } from '../../../tasks';

/** The number of updates of a student's cold start. */
const UPDATES = 100;

export interface AnswerRow extends FilteredAnswer {
  asked: EvalProblem;
  answer: StoredAnswer;
}

/** Null for a run that is not a distillation. */
export const teachingSource = ({ source }: EvaluationRun): TeachingSource | null =>
  source.kind === 'teaching' || source.kind === 'lessons' ? source : null;

/** The answers in the order of the problems. */
export function answerRows(
  source: TeachingSource,
  problems: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): AnswerRow[] {
  const sorted = inOrder(problems, answers);
  return filterAnswers(source, problems, sorted).map((judged, i) => ({
    ...judged,
    asked: problems[judged.problem]!,
    answer: sorted[i]!,
  }));
}

const inOrder = (problems: readonly EvalProblem[], answers: readonly StoredAnswer[]): StoredAnswer[] =>
  answers
    .filter(({ problem }) => problem < problems.length)
    .sort((a, b) => a.problem - b.problem || a.sample - b.sample);

/** The teacher as a data set names it. @param kindOf the kind of a server by its id */
export function describeTeacher(
  { id, label }: EvaluationRun['models'][number],
  kindOf: (server: string) => string | undefined,
): Teacher {
  const named = parseModelId(id);
  // The label of a model on a server contains its host, which must not get into a data set.
  if (named?.kind === 'server') return { model: named.model, server: kindOf(named.server) ?? 'a server' };
  return { model: label, server: 'this browser' };
}

/** The answers of a run that are kept, as samples. */
export function samplesOf(
  run: EvaluationRun,
  problems: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
  teacher: Teacher,
): DistilledSample[] {
  const source = teachingSource(run);
  const [model] = run.models;
  if (!source || !model) return [];
  const { temperature, top_p, top_k, max_tokens, ...others } = (model.settings ?? {}) as Record<string, number>;
  const settings = { ...others, temperature: temperature!, top_p: top_p!, top_k: top_k!, max_tokens: max_tokens! };
  const sorted = inOrder(problems, answers);
  const asked = model.toy ? bareMessages : ({ messages }: EvalProblem) => messages;
  return keptSamples(source, problems, sorted, teacher, { ...settings, seed: run.seed }, asked);
}

/** A name that depends only on the run, so that saving it again replaces what was saved before. */
export const nameForDataset = (run: EvaluationRun, { model }: Teacher): string => {
  const source = teachingSource(run);
  const id = run.id.replace(/[^A-Za-z0-9]/g, '').slice(0, 4);
  return datasetName(`${source?.task}-${source?.difficulty}-${datasetName(model).slice(0, 50)}-${id}`);
};

/** Whether the tiny model can learn the task. */
export const canLearn = (task: string): boolean => tasks.some(({ name }) => name === task);

/** The Train page's parameters for a student that starts from a data set. */
export function studentParams({ name, task, difficulty }: DatasetRecord): URLSearchParams {
  const config = configForTask(defaultRunConfig, task);
  return configToParams({ ...config, difficulty, cold_start_dataset: name, cold_start_steps: UPDATES });
}
