/** @file Example problems, one of each task, and checking the answers to them. */
import { parseCompletion } from '../../../tasks/answer';
import { tasks } from '../../../tasks';
import { rng } from '../../../base/rng';
import type { Verdict } from '../../../storage/conversation';
import type { Problem, Task } from '../../../tasks/task';

export interface Example {
  task: Task;
  problem: Problem;
}

/** One problem of each task at its default difficulty. Another `draw` gives other problems. */
export function examples(draw: number): Example[] {
  return tasks.map((task, index) => ({
    task,
    problem: task.generate(rng(0xc4a7, draw, index), task.difficulty.default),
  }));
}

/** Whether a finished completion, special tokens included, solves the example. Agrees with the accuracy reward. */
export function checkAnswer({ task, problem }: Example, completion: string): Verdict {
  const parsed = parseCompletion(completion.replace(/<eos>$/, ''), problem.steps.length);
  const correct = parsed.formatted && parsed.answer !== null && task.verify(problem, parsed.answer);
  return { correct, formatted: parsed.formatted, answer: problem.answer };
}
