/** @file What models are evaluated on: the held-out problems of a task, or a person's own. */
import { rng } from '../tasks/rng';
import { getTask } from '../tasks';
import type { Problem, Task } from '../tasks/task';
import type { Message } from './policy';
import type { FileProblem } from './problem-file';
import { sameAnswer } from './same-answer';

/** Keys the problems: the same for every model, and never those of training. */
const HELD_OUT = 0xe7a1;

export type ExamSource =
  | { kind: 'task'; task: string; difficulty: number; n: number; seed: number }
  | { kind: 'file'; name: string; problems: FileProblem[] };

export interface ExamProblem {
  prompt: string;
  /** One right answer; there may be others. */
  answer: string;
  /** What a model that follows instructions is told. */
  messages: Message[];
  /** @param answer hostile */
  isRight(answer: string): boolean;
}

/** @throws RangeError for a task that doesn't exist */
export const examOf = (source: ExamSource): ExamProblem[] =>
  source.kind === 'task'
    ? Array.from({ length: source.n }, (_, i) => taskProblem(getTask(source.task), source.difficulty, source.seed, i))
    : source.problems.map(fileProblem);

/** Problem `i` of a task's held-out set. */
export function taskProblem(task: Task, difficulty: number, seed: number, i: number): ExamProblem {
  const problem = task.generate(rng(HELD_OUT, seed, i), difficulty);
  return {
    prompt: problem.prompt,
    answer: problem.answer,
    messages: askFor(task, problem),
    isRight: (answer) => task.verify(problem, answer),
  };
}

/** The problem as a message to a model that follows instructions. */
export const askFor = (task: Task, { prompt }: Problem): Message[] => [
  {
    role: 'user',
    // Where the task says how to answer, it is asked as in training.
    content:
      task.instruction === undefined
        ? `${task.description}\n\n${prompt}\n\nThink step by step, then give the final answer alone in \\boxed{}.`
        : `${prompt}\n${task.instruction}`,
  },
];

function fileProblem({ problem, answer }: FileProblem): ExamProblem {
  return {
    prompt: problem,
    answer,
    // As DeepSeek recommends for R1.
    messages: [
      {
        role: 'user',
        content: `${problem}\n\nPlease reason step by step, and put your final answer within \\boxed{}.`,
      },
    ],
    isRight: (given) => sameAnswer(given, answer),
  };
}

/** For a model that knows the bare tasks and no language. */
export const bareMessages = ({ prompt }: ExamProblem): Message[] => [{ role: 'user', content: prompt }];
