/** @file What a teacher wrote, as the Distil page shows it, and as a data set. */
import { parseModelId } from '../../../runs/model-id';
import {
  datasetName,
  judge,
  keptSamples,
  type DistilledSample,
  type Judged,
  type TeachingSource,
  type Teacher,
} from '../../../eval/distillation';
import type { EvaluationRun, StoredAnswer } from '../../../storage/evaluation-storage';
import { bareMessages, type EvalProblem } from '../../../eval/problem-set';
import { configForTask, configToParams, defaultRunConfig } from '../../../runs/config';
import type { DatasetRecord } from '../../../storage/dataset-storage';
import { tasks } from '../../../tasks';

/** Updates of the cold start that a student begins with. */
const UPDATES = 100;

export interface SampleRow extends Judged {
  asked: EvalProblem;
  answer: StoredAnswer;
}

/** Null for what is no distillation. */
export const lessonSource = ({ source }: EvaluationRun): TeachingSource | null =>
  source.kind === 'lessons' ? source : null;

/** Problem by problem. */
export function sampleRows(
  source: TeachingSource,
  exam: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
): SampleRow[] {
  const sorted = inOrder(exam, answers);
  return judge(source, exam, sorted).map((judged, i) => ({
    ...judged,
    asked: exam[judged.problem]!,
    answer: sorted[i]!,
  }));
}

const inOrder = (exam: readonly EvalProblem[], answers: readonly StoredAnswer[]): StoredAnswer[] =>
  answers.filter(({ problem }) => problem < exam.length).sort((a, b) => a.problem - b.problem || a.sample - b.sample);

/** Who a model is, for whoever reads the data set; `kindOf` knows the kind of a server by its id. */
export function describeTeacher(
  { id, label }: EvaluationRun['models'][number],
  kindOf: (server: string) => string | undefined,
): Teacher {
  const named = parseModelId(id);
  // The label of a model on a server has the server's host in it, which must not get into a data set.
  if (named?.kind === 'server') return { model: named.model, server: kindOf(named.server) ?? 'a server' };
  return { model: label, server: 'this browser' };
}

/** The kept answers of a run. */
export function samplesOf(
  run: EvaluationRun,
  exam: readonly EvalProblem[],
  answers: readonly StoredAnswer[],
  teacher: Teacher,
): DistilledSample[] {
  const source = lessonSource(run);
  const [model] = run.models;
  if (!source || !model) return [];
  const { temperature, top_p, top_k, max_tokens, ...others } = (model.settings ?? {}) as Record<string, number>;
  const settings = { ...others, temperature: temperature!, top_p: top_p!, top_k: top_k!, max_tokens: max_tokens! };
  const sorted = inOrder(exam, answers);
  const asked = model.toy ? bareMessages : ({ messages }: EvalProblem) => messages;
  return keptSamples(source, exam, sorted, teacher, { ...settings, seed: run.seed }, asked);
}

/** The same for the same run, so that what is kept of it later takes the place of what was kept before. */
export const nameForDataset = (run: EvaluationRun, { model }: Teacher): string => {
  const source = lessonSource(run);
  const id = run.id.replace(/[^A-Za-z0-9]/g, '').slice(0, 4);
  return datasetName(`${source?.task}-${source?.difficulty}-${datasetName(model).slice(0, 50)}-${id}`);
};

/** Whether the small models can learn the task, so that a student is at hand. */
export const canLearn = (task: string): boolean => tasks.some(({ name }) => name === task);

/** The Train page's parameters for a student of a data set. */
export function studentParams({ name, task, difficulty }: DatasetRecord): URLSearchParams {
  const config = configForTask(defaultRunConfig, task);
  return configToParams({ ...config, difficulty, cold_start_dataset: name, cold_start_steps: UPDATES });
}
