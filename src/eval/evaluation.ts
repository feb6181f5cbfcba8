/** @file Evaluates anything that answers, a `ChatModel`, on problems: pass@1, pass@k, majority vote, lengths, cost in tokens. */
import { finalAnswer, sameAnswer } from '../tasks/answer';
import { ThoughtMeter } from '../tasks/answers/thought-meter';
import type { Task } from '../tasks/task';
import { taskProblem, type EvalProblem } from './problem-set';
import type { GenerateRequest, Message, ChatModel, ChatToken } from '../runs/chat-model';

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

/** An answer and its mark. */
export interface Answer {
  text: string;
  /** The final answer in it. */
  answer: string | null;
  correct: boolean;
  /** Thoughts included; as the server counts, where it does. */
  tokens: number;
  /** Of these: thoughts. */
  thought_tokens: number;
  /** Of the question, where that is told. */
  prompt_tokens: number | null;
  /** Whether it ended by itself, and not by the length limit. */
  finished: boolean;
  ms: number;
}

export interface Answered {
  problem: EvalProblem;
  answers: Answer[];
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
  mean_thought_tokens: number;
  /** Of all answers, and of their questions as far as these were counted. */
  total_tokens: number;
  total_prompt_tokens: number;
  /** Share of answers that the length limit cut off. */
  truncated: number;
}

/** Answers one problem after another; ends early, with what there is, when the signal aborts. */
export async function* evaluateChatModel(
  model: ChatModel,
  options: EvaluationOptions,
  signal: AbortSignal,
): AsyncGenerator<Answered> {
  const { task, difficulty, n, k, seed, request } = options;
  for (let i = 0; i < n; i++) {
    const problem = taskProblem(task, difficulty, i);
    const answers: Answer[] = [];
    for (let j = 0; j < k; j++) {
      const answer = await answerOnce(model, problem, problem.messages, { ...request, seed: seed + j }, signal);
      if (!answer) return;
      answers.push(answer);
    }
    yield { problem, answers };
  }
}

/**
 * Asks once and marks the answer.
 * @param onToken called with each token as it comes
 * @returns null when the signal aborted
 * @throws what the model throws
 */
export async function answerOnce(
  model: ChatModel,
  problem: EvalProblem,
  messages: Message[],
  request: Omit<GenerateRequest, 'messages'>,
  signal: AbortSignal,
  onToken: (token: ChatToken) => void = () => {},
): Promise<Answer | null> {
  const start = performance.now();
  const thought = new ThoughtMeter();
  let text = '';
  let tokens = 0;
  let prompt: number | null = null;
  let finish: 'stop' | 'length' | undefined;
  let counted: { tokens?: number; thoughts?: number } = {};
  for await (const token of model.generate({ ...request, messages }, signal)) {
    onToken(token);
    if (token.context) prompt = token.context.prompt;
    if (token.server) {
      const { prompt_tokens, completion_tokens, reasoning_tokens } = token.server;
      prompt = prompt_tokens ?? prompt;
      counted = {
        ...(completion_tokens !== undefined && { tokens: completion_tokens }),
        ...(reasoning_tokens !== undefined && { thoughts: reasoning_tokens }),
      };
    }
    if (token.finish) finish = token.finish;
    text += token.text;
    if (token.id === undefined && token.text === '') continue;
    tokens++;
    thought.push(token.text);
  }
  if (signal.aborted) return null;
  const answer = finalAnswer(text);
  const total = counted.tokens ?? tokens;
  // A server's tokens may come several at once: what was seen of the thoughts is scaled to what it counted.
  const scale = tokens > 0 ? total / tokens : 1;
  return {
    text,
    answer,
    correct: answer !== null && problem.isRight(answer),
    tokens: total,
    thought_tokens: counted.thoughts ?? Math.round((thought.size?.tokens ?? 0) * scale),
    prompt_tokens: prompt,
    // Not every model says how an answer ended.
    finished: (finish ?? (tokens < request.max_tokens ? 'stop' : 'length')) === 'stop',
    ms: performance.now() - start,
  };
}

/** @throws RangeError without any answer */
export function summarise(results: readonly { answers: readonly Omit<Answer, 'text'>[] }[]): Evaluation {
  const asked = results.filter((result) => result.answers.length > 0);
  if (asked.length === 0) throw new RangeError('there is nothing to sum up');
  const answers = asked.flatMap((result) => result.answers);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const mean = (values: readonly number[]) => sum(values) / values.length;
  const pass = mean(asked.map((result) => mean(result.answers.map(({ correct }) => Number(correct)))));
  return {
    problems: asked.length,
    answers: answers.length,
    pass_at_1: pass,
    interval: wilson(pass, asked.length),
    pass_at_k: mean(asked.map((result) => Number(result.answers.some(({ correct }) => correct)))),
    majority: mean(asked.map((result) => Number(majority(result.answers)?.correct ?? false))),
    mean_tokens: mean(answers.map(({ tokens }) => tokens)),
    mean_thought_tokens: mean(answers.map(({ thought_tokens }) => thought_tokens)),
    total_tokens: sum(answers.map(({ tokens }) => tokens)),
    total_prompt_tokens: sum(answers.map(({ prompt_tokens }) => prompt_tokens ?? 0)),
    truncated: mean(answers.map(({ finished }) => Number(!finished))),
  };
}

/** The answer given most often, the first of equally frequent ones; null when none was given. */
export function majority<T extends Pick<Answer, 'answer' | 'correct'>>(answers: readonly T[]): T | null {
  const groups: { first: T; said: string; count: number }[] = [];
  for (const answer of answers) {
    const said = answer.answer;
    if (said === null) continue;
    const group = groups.find((each) => sameAnswer(said, each.said));
    if (group) group.count++;
    else groups.push({ first: answer, said, count: 1 });
  }
  const most = Math.max(...groups.map(({ count }) => count));
  return groups.find(({ count }) => count === most)?.first ?? null;
}

/** The interval in which a share of `n` lies with 95% confidence (Wilson 1927). */
export function wilson(share: number, n: number): [number, number] {
  const z = 1.959964;
  const centre = share + (z * z) / (2 * n);
  const half = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const scale = 1 + (z * z) / n;
  return [Math.max(0, (centre - half) / scale), Math.min(1, (centre + half) / scale)];
}
