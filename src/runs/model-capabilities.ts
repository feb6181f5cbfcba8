/**
 * @file What can be said of a model by its name alone, before it is opened: for defaults and labels. What is computed and
 * how is decided by the engine, from the model itself (src/engine/open.ts).
 */
import { allTasks, tasks } from '../tasks';
import type { Task } from '../tasks/task';
import { parseModelId } from './model-id';

/** Whether it is a downloaded model: one that knows language, and for which a laptop trains adapters by default. */
export const isDownloaded = (model: string): boolean => parseModelId(model)?.kind === 'downloaded';

/** The tasks of a run on the page's own GPU: word problems are for models that know language. */
export const tasksFor = (model: string): readonly Task[] => (isDownloaded(model) ? allTasks : tasks);

/** A model's name for people: a downloaded one's without its prefix and the hash at the end of its folder's name. */
export function modelLabel(name: string): string {
  const model = parseModelId(name);
  return model?.kind === 'downloaded' ? model.id.replace(/-[0-9a-f]{10}$/, '') : name;
}
