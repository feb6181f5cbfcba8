/** @file Asks a chat model for the answers that an evaluation still lacks: several at a time, at a limited rate, past single failures. */
import { sleep } from '../base/sleep';
import { answerOnce, type Answer } from './evaluation';
import type { EvalProblem } from './problem-set';
import type { GenerateRequest, Message, ChatModel, ChatToken } from '../runs/chat-model';

/** Failures in a row after which nothing more is asked. */
const MAX_CONSECUTIVE_FAILURES = 3;

export interface Pace {
  /** Answers that are written at once. */
  concurrency: number;
  /** Questions a minute; null: as many as are answered. */
  per_minute: number | null;
}

/** One answer to be asked for. */
export interface Slot {
  problem: number;
  sample: number;
}

export interface EvaluatorOptions {
  problems: readonly EvalProblem[];
  /** Answers to each problem. */
  k: number;
  request: Omit<GenerateRequest, 'messages'>;
  messages: (problem: EvalProblem) => Message[];
  pace: Pace;
  /** Whether there is an answer already. */
  isDone: (slot: Slot) => boolean;
  /** Awaited before the next question is asked: what it rejects with ends the evaluation. */
  onAnswer: (slot: Slot, answer: Answer) => void | Promise<void>;
  onToken?: (token: ChatToken) => void;
  /** Called for an answer that failed; it is left out, and asked for again next time. */
  onFailure?: (slot: Slot, error: unknown) => void;
}

/**
 * Resolves when all has been asked for, or the signal has aborted.
 * @throws the last failure, when one came after the other
 */
export async function evaluateMissing(model: ChatModel, options: EvaluatorOptions, signal: AbortSignal): Promise<void> {
  const { problems, k, request, messages, pace, isDone, onAnswer, onToken, onFailure } = options;
  // What a failure ends is not what the caller asked for.
  const own = new AbortController();
  const stop = () => own.abort();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
  const slots = missing(problems.length, k, isDone);
  const limiter = new RateLimiter(pace.per_minute);
  let failures = 0;
  const work = async (): Promise<void> => {
    while (!own.signal.aborted) {
      // Before a slot is taken: what is not begun is not lost.
      await limiter.pass(own.signal);
      if (own.signal.aborted) return;
      const next = slots.next();
      if (next.done) return;
      const slot = next.value;
      const problem = problems[slot.problem]!;
      const seeded = { ...request, seed: sampleSeed(request.seed, slot.sample) };
      let answer: Answer | null;
      try {
        answer = await answerOnce(model, problem, messages(problem), seeded, own.signal, onToken);
      } catch (error) {
        if (own.signal.aborted) return;
        onFailure?.(slot, error);
        if (++failures >= MAX_CONSECUTIVE_FAILURES) throw error;
        continue;
      }
      failures = 0;
      if (answer) await onAnswer(slot, answer);
    }
  };
  try {
    const workers = Array.from({ length: Math.max(1, pace.concurrency) }, () =>
      work().catch((error: unknown) => {
        stop();
        throw error;
      }),
    );
    const ended = await Promise.allSettled(workers);
    const failed = ended.find((each) => each.status === 'rejected');
    if (failed && !signal.aborted) throw failed.reason;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** What the answers to a problem differ in. */
export const sampleSeed = (seed: number, sample: number): number => (seed + sample) % 2 ** 31;

/** Problem by problem, so that what there is after a while is whole problems. */
function* missing(problems: number, k: number, isDone: (slot: Slot) => boolean): Generator<Slot> {
  for (let problem = 0; problem < problems; problem++) {
    for (let sample = 0; sample < k; sample++) {
      const slot = { problem, sample };
      if (!isDone(slot)) yield slot;
    }
  }
}

/** Lets one through at a time, evenly spread over each minute. */
class RateLimiter {
  readonly #gap: number;
  #next = 0;

  constructor(perMinute: number | null) {
    this.#gap = perMinute === null ? 0 : 60_000 / perMinute;
  }

  /** Resolves when it is one's turn, or the signal has aborted. */
  async pass(signal: AbortSignal): Promise<void> {
    if (this.#gap === 0) return;
    const now = Date.now();
    const turn = Math.max(now, this.#next);
    this.#next = turn + this.#gap;
    if (turn === now || signal.aborted) return;
    // The caller asks the signal itself whether it was aborted.
    await sleep(turn - now, signal).catch(() => undefined);
  }
}
