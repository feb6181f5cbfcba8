/**
 * @file What models are asked: to evaluate them, the held-out problems of a task or a person's own; to learn from them,
 * problems of a task that are not held out.
 */
import { getTask } from '../tasks';
import { heldOutProblem, storedProblem, teachingProblem, workedExample } from '../tasks/problems';
import type { Problem, Task } from '../tasks/task';
import type { Message } from '../runs/chat-model';
import type { FileProblem } from './problem-file';
import { sameAnswer } from '../tasks/answer';

/** How many problems are drawn for each different one that is wanted, before giving up on finding more. */
const DRAWS = 20;

/** How a teacher writes: a step after the other as the small models do, or in its own words. */
export type Notation = 'short' | 'free';

export type ProblemSource =
  | { kind: 'held-out'; task: string; difficulty: number; n: number }
  | { kind: 'teaching'; task: string; difficulty: number; n: number; seed: number; notation: Notation }
  // Stored by earlier versions, which drew their problems differently.
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
  if (source.kind === 'teaching' || source.kind === 'lessons') return teachingProblems(source);
  const task = getTask(source.task);
  return Array.from({ length: source.n }, (_, i) =>
    source.kind === 'held-out'
      ? taskProblem(task, source.difficulty, i)
      : asked(task, storedProblem('task', task, source.difficulty, source.seed, i)),
  );
}

/** Problem `i` of a task's held-out set: the one that the Train page's curve is measured on, too. */
export const taskProblem = (task: Task, difficulty: number, i: number): EvalProblem =>
  asked(task, heldOutProblem(task, difficulty, i));

const asked = (task: Task, problem: Problem): EvalProblem => ({
  ...marked(task, problem),
  messages: askFor(task, problem),
});

/** Different problems, and fewer of them where the task has no more. */
function teachingProblems(source: Extract<ProblemSource, { kind: 'teaching' | 'lessons' }>): EvalProblem[] {
  const { kind, difficulty, n, seed, notation } = source;
  const task = getTask(source.task);
  const problems = new Map<string, Problem>();
  for (let i = 0; problems.size < n && i < DRAWS * n; i++) {
    const problem =
      kind === 'teaching' ? teachingProblem(task, difficulty, seed, i) : storedProblem(kind, task, difficulty, seed, i);
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
  const examples = [1, 2].map((i) => workedExample(task, difficulty, i));
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
