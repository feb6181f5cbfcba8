/**
 * @file What a run can do with a model, judged by the model's name and the run's config. One place for these questions
 * until the engine answers them with facts about the opened model.
 */
import type { RunConfig } from '../rl/config';
import { allTasks, tasks } from '../tasks';
import type { Task } from '../tasks/task';
import { parseModelId } from './model-id';

/** Whether it is a downloaded model, for which only adapters can be trained here. */
export const learnsByAdapters = (model: string): boolean => parseModelId(model)?.kind === 'downloaded';

/** Whether a run's checkpoints hold adapters. Runs saved by the first versions have no such setting. */
export const hasAdapters = ({ lora_r }: RunConfig): boolean => typeof lora_r === 'number';

/** The tasks of a run on the page's own GPU: word problems are for models that know language. */
export const tasksFor = (model: string): readonly Task[] => (learnsByAdapters(model) ? allTasks : tasks);

/** A model's name for people: a downloaded one's without its prefix and the hash at the end of its folder's name. */
export function modelLabel(name: string): string {
  const model = parseModelId(name);
  return model?.kind === 'downloaded' ? model.id.replace(/-[0-9a-f]{10}$/, '') : name;
}
