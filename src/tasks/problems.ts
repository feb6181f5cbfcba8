/**
 * @file The only place that draws problems. Each purpose has its own random streams, and no seed makes two of them meet:
 * streams differ in the number of their keys, or in a key that is fixed.
 */
import { rng } from '../base/rng';
import type { Problem, Task } from './task';

/** Second key of training problems, and of the problems that a teacher is asked. 3 and 4 belong to supervised training. */
const TRAINING = 1;
const TEACHING = 5;
/** First key of held-out problems, and of worked examples. */
const HELD_OUT = 2;
const EXAMPLES = 0xe8a3;

/** The keys of each random stream. Committed runs depend on those of training and held-out problems. */
export const problemKeys = {
  training: (seed: number, step: number) => [seed, TRAINING, step],
  heldOut: (i: number) => [HELD_OUT, i],
  teaching: (seed: number, i: number) => [seed, TEACHING, i],
  example: (i: number) => [EXAMPLES, i],
} as const;

/** The problems of a training step; steps count from 1. */
export function trainingProblems(task: Task, difficulty: number, seed: number, step: number, count: number): Problem[] {
  const random = rng(...problemKeys.training(seed, step));
  return Array.from({ length: count }, () => task.generate(random, difficulty));
}

/** Held-out problem `i`, the same for every run and every model. */
export const heldOutProblem = (task: Task, difficulty: number, i: number): Problem =>
  task.generate(rng(...problemKeys.heldOut(i)), difficulty);

/** Problem `i` of those that a teacher is asked with this seed. */
export const teachingProblem = (task: Task, difficulty: number, seed: number, i: number): Problem =>
  task.generate(rng(...problemKeys.teaching(seed, i)), difficulty);

/** Worked example `i`, which shows how an answer is written: the prompt and its trace on a line each. */
export function workedExample(task: Task, difficulty: number, i: number): string {
  const random = rng(...problemKeys.example(i));
  const problem = task.generate(random, difficulty);
  return `${problem.prompt}\n${task.trace(random, problem, 'full')}`;
}

/**
 * How earlier versions drew the problems of evaluations (`task`) and of distillations (`lessons`). Only stored ones are
 * drawn this way, so that their answers still belong to their problems.
 */
export const storedProblem = (
  kind: 'task' | 'lessons',
  task: Task,
  difficulty: number,
  seed: number,
  i: number,
): Problem => task.generate(rng(kind === 'task' ? 0xe7a1 : 0xd157, seed, i), difficulty);
