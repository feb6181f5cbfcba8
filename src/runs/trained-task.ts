/** @file How the model of a run was asked its task, so that it can be asked the same way afterwards. */
import { inWords } from '../rl/prompt';
import { getTask } from '../tasks';
import type { Task } from '../tasks/task';
import type { StartedEvent } from './events';

/**
 * The task with the instruction that the run's model was trained with. In the browser, a model that reads language is asked
 * in words; a server asks every model the bare problem of a toy task (remote/src/tinythink_remote/problems.py).
 * @param started null before the run has started
 * @throws RangeError for a task that doesn't exist
 */
export function trainedTask(name: string, started: Pick<StartedEvent, 'model' | 'device'> | null): Task {
  const task = getTask(name);
  return started?.model.reads_language && started.device.kind !== 'trl' ? inWords(task) : task;
}
