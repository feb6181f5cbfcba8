/** @file The registry of tasks. */
import { countdown } from './countdown';
import { mul } from './mul';
import { parity } from './parity';
import { sum } from './sum';
import type { Task } from './task';

/** In the order in which the page offers them. */
export const tasks: readonly Task[] = [sum, mul, countdown, parity];

/** @throws RangeError naming the tasks there are. */
export function getTask(name: string): Task {
  const task = tasks.find((candidate) => candidate.name === name);
  if (!task) {
    throw new RangeError(`There is no task '${name}'. The tasks are: ${tasks.map((each) => each.name).join(', ')}.`);
  }
  return task;
}
