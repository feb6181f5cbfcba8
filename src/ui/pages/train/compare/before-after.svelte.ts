/** @file Asks the model before training and the current one the same question. */
import { messageOf } from '../../../../base/errors';
import type { ChatModel, GenerateRequest } from '../../../../runs/chat-model';
import { parseChatCompletion, parseCompletion } from '../../../../tasks/answer';
import type { Task } from '../../../../tasks/task';

export type Which = 'before' | 'after';
export const both: readonly Which[] = ['before', 'after'];

export interface ModelAnswer {
  tokens: string[];
  logprobs: number[];
  /** Whether the answer ended at the token limit. */
  truncated: boolean;
  state: 'idle' | 'writing' | 'done' | 'failed';
  /** Why it failed. */
  problem: string;
}

export interface Question {
  prompt: string;
  /** How to answer, for models that follow instructions. */
  instruction?: string | undefined;
  temperature: number;
  seed: number;
  max_tokens: number;
}

/** `unformatted`: without the required tags an answer earns nothing, whatever it says. */
export type Verdict = 'right' | 'wrong' | 'unformatted';

/** A problem with its answer. */
export interface KnownProblem {
  prompt: string;
  answer: string;
}

/** The problem that a prompt is: one of those given, or one that the task can solve; null for anything else. */
export function knownProblem(prompt: string, task: Task, given: readonly KnownProblem[]): KnownProblem | null {
  const found = given.find((each) => each.prompt === prompt);
  const answer = found?.answer ?? task.solve?.(prompt);
  return answer == null ? null : { prompt, answer };
}

/** Judges a finished answer as the accuracy reward does. */
export function verdictOn(answer: ModelAnswer, task: Task, problem: KnownProblem): Verdict {
  const completion = answer.tokens.join('').replace(/<eos>$/, '');
  const { formatted, answer: text } =
    task.instruction === undefined ? parseCompletion(completion, 0) : parseChatCompletion(completion);
  if (!formatted || text === null) return 'unformatted';
  return task.verify({ ...problem, steps: [] }, text) ? 'right' : 'wrong';
}

const emptyAnswer = (): ModelAnswer => ({ tokens: [], logprobs: [], truncated: false, state: 'idle', problem: '' });

/** Opened for one answer and then closed, so that it holds no GPU memory during training. */
type Closable = ChatModel & { close?: () => void };

export class BeforeAfterState {
  /** Replaced as a whole, never mutated. */
  answers = $state.raw<Record<Which, ModelAnswer>>({ before: emptyAnswer(), after: emptyAnswer() });
  /** The prompt that the answers are to; empty if nothing was asked. */
  asked = $state('');
  asking = $state(false);
  readonly #openModel: (which: Which) => Promise<Closable>;
  #abort: AbortController | null = null;

  constructor(openModel: (which: Which) => Promise<Closable>) {
    this.#openModel = openModel;
  }

  /** Asks both and cancels any answer in progress. Never rejects: an answer says what went wrong. */
  async ask(question: Question): Promise<void> {
    this.clear();
    const abort = (this.#abort = new AbortController());
    this.asking = true;
    this.asked = question.prompt;
    // One after the other: both run on the same GPU.
    for (const which of both) if (!abort.signal.aborted) await this.#write(which, question, abort.signal);
    if (this.#abort === abort) this.asking = false;
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.asking = false;
  }

  /** Removes the answers, for example because the question changes. */
  clear(): void {
    this.stop();
    this.asked = '';
    this.answers = { before: emptyAnswer(), after: emptyAnswer() };
  }

  async #write(which: Which, question: Question, signal: AbortSignal): Promise<void> {
    const request: GenerateRequest = {
      messages: [{ role: 'user', content: [question.prompt, question.instruction].filter(Boolean).join('\n') }],
      max_tokens: question.max_tokens,
      temperature: question.temperature,
      top_k: 0,
      top_p: 1,
      seed: question.seed,
    };
    let answer: ModelAnswer = { ...emptyAnswer(), state: 'writing' };
    const show = (change: Partial<ModelAnswer>): void => {
      if (signal.aborted) return;
      answer = { ...answer, ...change };
      this.answers = { ...this.answers, [which]: answer };
    };
    let model: Closable | undefined;
    try {
      show({});
      model = await this.#openModel(which);
      const tokens: string[] = [];
      const logprobs: number[] = [];
      let cut = false;
      for await (const { text, id, logprob, finish } of model.generate(request, signal)) {
        cut = finish === 'length';
        // The last message may only say why the answer ended.
        if (text === '' && id === undefined) continue;
        tokens.push(text);
        logprobs.push(logprob ?? NaN);
        show({ tokens: [...tokens], logprobs: [...logprobs] });
      }
      show({ state: 'done', truncated: cut || tokens.length >= question.max_tokens });
    } catch (error) {
      show({ state: 'failed', problem: messageOf(error) });
    } finally {
      model?.close?.();
    }
  }
}
