/**
 * @file What models are asked: to evaluate them, the held-out problems of a task or a person's own; to learn from them,
 * problems of a task that are not held out.
 */
import { rng } from '../base/rng';
import { getTask } from '../tasks';
import type { Problem, Task } from '../tasks/task';
import type { Message } from '../runs/chat-model';
import type { FileProblem } from './problem-file';
import { sameAnswer } from '../tasks/answer';

/** Keys the problems: the same for every model, and never those of training. */
const HELD_OUT = 0xe7a1;
/** Keys the problems that a teacher is asked, and the worked examples that show how it shall write. */
const LESSONS = 0xd157;
const EXAMPLES = 0xe8a3;
/** Where a task hasn't enough different problems, so many are drawn for each. */
const DRAWS = 20;

/** How a teacher writes: a step after the other as the small models do, or in its own words. */
export type Notation = 'short' | 'free';

export type ProblemSource =
  | { kind: 'task'; task: string; difficulty: number; n: number; seed: number }
  | { kind: 'lessons'; task: string; difficulty: number; n: number; seed: number; notation: Notation }
  | { kind: 'file'; name: string; problems: FileProblem[] };

export interface EvalProblem {
  prompt: string;
  /** One right answer; there may be others. */
  answer: string;
  /** What a model that follows instructions is told. */
  messages: Message[];
  /** @param answer hostile */
  isRight(answer: string): boolean;
}

/** @throws RangeError for a task that doesn't exist */
export function buildProblems(source: ProblemSource): EvalProblem[] {
  if (source.kind === 'file') return source.problems.map(fileProblem);
  if (source.kind === 'lessons') return lessonProblems(source);
  const task = getTask(source.task);
  return Array.from({ length: source.n }, (_, i) => taskProblem(task, source.difficulty, source.seed, i));
}

/** Problem `i` of a task's held-out set. */
export function taskProblem(task: Task, difficulty: number, seed: number, i: number): EvalProblem {
  const problem = task.generate(rng(HELD_OUT, seed, i), difficulty);
  return { ...marked(task, problem), messages: askFor(task, problem) };
}

/** Different problems, and fewer of them where the task has no more. */
function lessonProblems(source: Extract<ProblemSource, { kind: 'lessons' }>): EvalProblem[] {
  const { difficulty, n, seed, notation } = source;
  const task = getTask(source.task);
  const problems = new Map<string, Problem>();
  for (let i = 0; problems.size < n && i < DRAWS * n; i++) {
    const problem = task.generate(rng(LESSONS, seed, i), difficulty);
    if (!problems.has(problem.prompt)) problems.set(problem.prompt, problem);
  }
  const ask = notation === 'short' && hasNotation(task) ? askInShort : askFor;
  return [...problems.values()].map((problem) => ({
    ...marked(task, problem),
    messages: ask(task, problem, difficulty),
  }));
}

const marked = (task: Task, problem: Problem): Omit<EvalProblem, 'messages'> => ({
  prompt: problem.prompt,
  answer: problem.answer,
  isRight: (answer) => task.verify(problem, answer),
});

/** Whether a task has a notation of its own, which the small models write. */
export const hasNotation = (task: Task): boolean => task.instruction === undefined;

/** Asks for an answer as the small models write it, by two examples: what is learned from has to be in their characters. */
function askInShort(task: Task, { prompt }: Problem, difficulty: number): Message[] {
  const examples = [1, 2].map((i) => {
    const random = rng(EXAMPLES, i);
    const problem = task.generate(random, difficulty);
    return `${problem.prompt}\n${task.trace(random, problem, 'full')}`;
  });
  const content = [
    task.description,
    'Solve the last problem. Reply with the working and the answer alone, in exactly the form of the examples: each step ' +
      'in short, separated by semicolons, without words.',
    ...examples,
    prompt,
  ].join('\n\n');
  return [{ role: 'user', content }];
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

function fileProblem({ problem, answer }: FileProblem): EvalProblem {
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
export const bareMessages = ({ prompt }: EvalProblem): Message[] => [{ role: 'user', content: prompt }];
