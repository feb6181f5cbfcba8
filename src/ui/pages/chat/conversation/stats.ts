/** @file Figures about an answer: tokens, time to the first token, tokens per second, and how full the context is. */
import type { ContextUse } from '../../../../runs/chat-model';
import type { AnswerStats } from '../../../../storage/conversation';

export const noStats: AnswerStats = {
  tokens: 0,
  first_ms: null,
  decode_tokens: 0,
  decode_ms: 0,
  total_ms: 0,
  context: null,
  context_from: 0,
};

/** Tokens that arrive within this many milliseconds of the first belong to the same delivery. */
const ONE_DELIVERY_MS = 3;

export class AnswerMeter {
  readonly #before: AnswerStats;
  #first: number | null = null;
  #last = 0;
  #tokens = 0;
  #after = 0;
  #context: ContextUse | null = null;
  #contextFrom = 0;

  /** @param before the figures of an answer that is continued */
  constructor(before: AnswerStats = noStats) {
    this.#before = before;
  }

  /** @param ms since the request */
  token(ms: number): void {
    this.#tokens++;
    this.#last = ms;
    this.#first ??= ms;
    if (ms > this.#first + ONE_DELIVERY_MS) this.#after++;
  }

  context(use: ContextUse): void {
    this.#context = use;
    this.#contextFrom = this.#before.tokens + this.#tokens;
  }

  get stats(): AnswerStats {
    const before = this.#before;
    return {
      tokens: before.tokens + this.#tokens,
      first_ms: before.first_ms ?? this.#first,
      decode_tokens: before.decode_tokens + this.#after,
      decode_ms: before.decode_ms + (this.#after > 0 ? this.#last - this.#first! : 0),
      total_ms: before.total_ms + this.#last,
      context: this.#context ?? before.context,
      context_from: this.#context ? this.#contextFrom : before.context_from,
    };
  }
}

/** In less time than this, later tokens may still belong to the first delivery. */
const MEASURABLE_MS = 50;

/** Tokens per second of the decoding alone if it can be told apart, otherwise of the whole answer; null before the first token. */
export function rate({ tokens, decode_tokens, decode_ms, total_ms }: AnswerStats): number | null {
  if (decode_tokens > 0 && decode_ms >= MEASURABLE_MS) return (1000 * decode_tokens) / decode_ms;
  return tokens > 0 && total_ms > 0 ? (1000 * tokens) / total_ms : null;
}

/** Tokens in the context, the answer's included; null if the model doesn't report it. */
export function contextUsed({ context, context_from, tokens }: AnswerStats): { used: number; length: number } | null {
  if (!context || context.length <= 0) return null;
  return { used: Math.min(context.length, context.prompt + tokens - context_from), length: context.length };
}
