/** @file The registry of tasks. */
import { countdown } from './countdown';
import { datasetTask, isDataset } from './dataset';
import { mul } from './mul';
import { parity } from './parity';
import { sum } from './sum';
import type { Task } from './task';
import { wordProblems } from './word-problems';

/** In the order in which the page offers them. */
export const tasks: readonly Task[] = [sum, mul, countdown, parity];

/** Tasks beyond the embedded model, which the page doesn't offer. */
export const chatTasks: readonly Task[] = [wordProblems];

export const allTasks: readonly Task[] = [...tasks, ...chatTasks];

/** Also of a data set on a server. @throws RangeError naming the tasks there are. */
export function getTask(name: string): Task {
  if (isDataset(name)) return datasetTask(name);
  const task = allTasks.find((candidate) => candidate.name === name);
  if (!task) {
    throw new RangeError(`There is no task '${name}'. The tasks are: ${allTasks.map((each) => each.name).join(', ')}.`);
  }
  return task;
}
