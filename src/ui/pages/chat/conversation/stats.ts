/** @file What an answer cost: tokens, time to the first, tokens a second, and how full the model's context is. */
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

/** Tokens that arrive within this many milliseconds of the first came with it, in one chunk. */
const ONE_DELIVERY_MS = 3;

export class AnswerMeter {
  readonly #before: AnswerStats;
  #first: number | null = null;
  #last = 0;
  #tokens = 0;
  #after = 0;
  #context: ContextUse | null = null;
  #contextFrom = 0;

  /** @param before what an answer that is continued has cost so far */
  constructor(before: AnswerStats = noStats) {
    this.#before = before;
  }

  /** @param ms since asking */
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

/** In less than this, what came after the first delivery may as well be the rest of it. */
const MEASURABLE_MS = 50;

/** Tokens a second: of the decoding alone where it can be told apart, else of the whole; null before there is any. */
export function rate({ tokens, decode_tokens, decode_ms, total_ms }: AnswerStats): number | null {
  if (decode_tokens > 0 && decode_ms >= MEASURABLE_MS) return (1000 * decode_tokens) / decode_ms;
  return tokens > 0 && total_ms > 0 ? (1000 * tokens) / total_ms : null;
}

/** Tokens in the model's view, the answer's included; null where the policy doesn't say. */
export function contextUsed({ context, context_from, tokens }: AnswerStats): { used: number; length: number } | null {
  if (!context || context.length <= 0) return null;
  return { used: Math.min(context.length, context.prompt + tokens - context_from), length: context.length };
}
