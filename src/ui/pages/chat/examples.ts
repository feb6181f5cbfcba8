/** @file Example prompts, one of each task, and the verdict on an answer to one of them. */
import { parseCompletion } from '../../../tasks/answer';
import { tasks } from '../../../tasks';
import { rng } from '../../../base/rng';
import type { Verdict } from '../../../storage/conversation';
import type { Problem, Task } from '../../../tasks/task';

export interface Example {
  task: Task;
  problem: Problem;
}

/** One problem of each task at its default difficulty; another `draw` gives others. */
export function examples(draw: number): Example[] {
  return tasks.map((task, index) => ({
    task,
    problem: task.generate(rng(0xc4a7, draw, index), task.difficulty.default),
  }));
}

/** Whether a finished completion (special tokens written out) solves the example, as the accuracy reward sees it. */
export function judge({ task, problem }: Example, completion: string): Verdict {
  const parsed = parseCompletion(completion.replace(/<eos>$/, ''), problem.steps.length);
  const correct = parsed.formatted && parsed.answer !== null && task.verify(problem, parsed.answer);
  return { correct, formatted: parsed.formatted, answer: problem.answer };
}
