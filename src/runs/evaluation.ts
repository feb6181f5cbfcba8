/** @file Evaluates anything that answers, a `Policy`, on a task's held-out problems: pass@1, pass@k, majority vote, lengths. */
import { finalAnswer } from '../rl/final-answer';
import { rng } from '../tasks/rng';
import type { Problem, Task } from '../tasks/task';
import type { GenerateRequest, Message, Policy } from './policy';

/** Keys the problems: the same for every model, and never those of training. */
const HELD_OUT = 0xe7a1;

export interface EvaluationOptions {
  task: Task;
  difficulty: number;
  /** Problems. */
  n: number;
  /** Answers to each. */
  k: number;
  seed: number;
  request: Omit<GenerateRequest, 'messages' | 'seed'>;
}

export interface Answered {
  problem: Problem;
  answers: { text: string; answer: string | null; correct: boolean; tokens: number; finished: boolean }[];
}

export interface Evaluation {
  problems: number;
  answers: number;
  pass_at_1: number;
  /** 95% Wilson interval of `pass_at_1`, over problems. */
  interval: [low: number, high: number];
  /** Share of problems with at least one right answer of k. */
  pass_at_k: number;
  /** Share of problems whose most frequent answer is right; of equally frequent ones, the one given first. */
  majority: number;
  mean_tokens: number;
  /** Share of answers that the length limit cut off. */
  truncated: number;
}

/** The problem as a message to a model that follows instructions. */
export const askFor = (task: Task, { prompt }: Problem): Message[] => [
  {
    role: 'user',
    content: `${task.description}\n\n${prompt}\n\nThink step by step, then give the final answer alone in \\boxed{}.`,
  },
];

/** Answers one problem after another; ends early, with what there is, when the signal aborts. */
export async function* evaluatePolicy(
  policy: Policy,
  options: EvaluationOptions,
  signal: AbortSignal,
): AsyncGenerator<Answered> {
  const { task, difficulty, n, k, seed, request } = options;
  for (let i = 0; i < n; i++) {
    const problem = task.generate(rng(HELD_OUT, seed, i), difficulty);
    const answers: Answered['answers'] = [];
    for (let j = 0; j < k; j++) {
      let text = '';
      let tokens = 0;
      let finished = false;
      const messages = askFor(task, problem);
      for await (const token of policy.generate({ ...request, messages, seed: seed + j }, signal)) {
        text += token.text;
        if (token.id !== undefined || token.text !== '') tokens++;
        finished = token.finish === 'stop';
      }
      if (signal.aborted) return;
      const answer = finalAnswer(text);
      answers.push({ text, answer, correct: answer !== null && task.verify(problem, answer), tokens, finished });
    }
    yield { problem, answers };
  }
}

/** @throws RangeError without any problem */
export function summarise(results: readonly Answered[]): Evaluation {
  if (results.length === 0) throw new RangeError('there is nothing to sum up');
  const answers = results.flatMap((result) => result.answers);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const shares = results.map((result) => mean(result.answers.map(({ correct }) => Number(correct))));
  const pass = mean(shares);
  return {
    problems: results.length,
    answers: answers.length,
    pass_at_1: pass,
    interval: wilson(pass, results.length),
    pass_at_k: mean(results.map((result) => Number(result.answers.some(({ correct }) => correct)))),
    majority: mean(results.map((result) => Number(majority(result.answers)))),
    mean_tokens: mean(answers.map(({ tokens }) => tokens)),
    truncated: mean(answers.map(({ finished }) => Number(!finished))),
  };
}

function majority(answers: Answered['answers']): boolean {
  const counts = new Map<string, { count: number; correct: boolean }>();
  for (const { answer, correct } of answers) {
    if (answer === null) continue;
    const seen = counts.get(answer) ?? { count: 0, correct };
    counts.set(answer, { ...seen, count: seen.count + 1 });
  }
  let best = { count: 0, correct: false };
  for (const candidate of counts.values()) if (candidate.count > best.count) best = candidate;
  return best.correct;
}

/** The interval in which a share of `n` lies with 95% confidence (Wilson 1927). */
export function wilson(share: number, n: number): [number, number] {
  const z = 1.959964;
  const centre = share + (z * z) / (2 * n);
  const half = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return [Math.max(0, (centre - half) / scale), Math.min(1, (centre + half) / scale)];
}
