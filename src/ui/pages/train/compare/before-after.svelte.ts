/** @file The same question to two policies at once: the model before training and the model now. */
import { messageOf } from '../../../../base/errors';
import type { GenerateRequest, ChatModel } from '../../../../runs/chat-model';

export type Which = 'before' | 'after';
export const both: readonly Which[] = ['before', 'after'];

export interface ModelAnswer {
  tokens: string[];
  logprobs: number[];
  /** Ended at the token limit. */
  truncated: boolean;
  state: 'idle' | 'writing' | 'done' | 'failed';
  /** Why it failed. */
  problem: string;
}

export interface Question {
  prompt: string;
  /** How to answer, for models that are told. */
  instruction?: string | undefined;
  temperature: number;
  seed: number;
  max_tokens: number;
}

const blank = (): ModelAnswer => ({ tokens: [], logprobs: [], truncated: false, state: 'idle', problem: '' });

/** Opened for one answer and then closed, so that it holds no GPU memory while a run goes on. */
type Closable = ChatModel & { close?: () => void };

export class BeforeAfterState {
  /** Replaced as a whole at most once per frame, never mutated. */
  answers = $state.raw<Record<Which, ModelAnswer>>({ before: blank(), after: blank() });
  asking = $state(false);
  readonly #policy: (which: Which) => Promise<Closable>;
  #abort: AbortController | null = null;

  constructor(policy: (which: Which) => Promise<Closable>) {
    this.#policy = policy;
  }

  /** Asks both; an answer under way is given up. Never rejects: what goes wrong is in the answer. */
  async ask(question: Question): Promise<void> {
    this.stop();
    const abort = (this.#abort = new AbortController());
    this.asking = true;
    this.answers = { before: blank(), after: blank() };
    // One after the other: both live on the same device, and a reader reads one at a time.
    for (const which of both) if (!abort.signal.aborted) await this.#write(which, question, abort.signal);
    if (this.#abort === abort) this.asking = false;
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.asking = false;
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
    let answer: ModelAnswer = { ...blank(), state: 'writing' };
    const show = (change: Partial<ModelAnswer>): void => {
      if (signal.aborted) return;
      answer = { ...answer, ...change };
      this.answers = { ...this.answers, [which]: answer };
    };
    let policy: Closable | undefined;
    try {
      policy = await this.#policy(which);
      const tokens: string[] = [];
      const logprobs: number[] = [];
      let cut = false;
      for await (const { text, id, logprob, finish } of policy.generate(request, signal)) {
        cut = finish === 'length';
        // What only says that it is over is no token.
        if (text === '' && id === undefined) continue;
        tokens.push(text);
        logprobs.push(logprob ?? NaN);
        show({ tokens: [...tokens], logprobs: [...logprobs] });
      }
      show({ state: 'done', truncated: cut || tokens.length >= question.max_tokens });
    } catch (error) {
      show({ state: 'failed', problem: messageOf(error) });
    } finally {
      policy?.close?.();
    }
  }
}
