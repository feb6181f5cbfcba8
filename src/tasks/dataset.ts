/** @file A data set that lies on a GPU server: its runs are shown here, its problems are there. */
import { sameAnswer } from './answer';
import type { Task } from './task';

/** As `tinythink-remote` names what was uploaded to it. */
const NAME = /^dataset:[0-9a-f]{16}$/;

export const isDataset = (name: unknown): name is string => typeof name === 'string' && NAME.test(name);

/** Stands for the data set wherever a run's task is asked for. It generates nothing. */
export function datasetTask(name: string): Task {
  const notHere = (): never => {
    throw new RangeError(`The problems of ${name} are on the server that keeps it; only a run there has them.`);
  };
  return {
    name,
    title: 'Data set',
    description: 'Problems and answers that were uploaded to a GPU server.',
    difficulty: { min: 0, max: 1000, default: 0, describe: () => 'as uploaded' },
    styles: [],
    generate: notHere,
    verify: (problem, answer) => sameAnswer(answer, problem.answer),
    trace: notHere,
  };
}
