/** @file Splits a completion's tokens into the think block, the answer and the rest, and measures each token's change. */
import type { Completion } from '../../../../runs/events';

export type Part = 'think' | 'answer' | 'tag' | 'plain';

/** The part of a completion that determines how its tokens look. */
export type TokenRecord = Pick<Completion, 'tokens' | 'logprobs' | 'logprobs_after'>;

export interface TokenView {
  text: string;
  part: Part;
  /** Log-probability when sampled; null where none was recorded. */
  before: number | null;
  /** After the step's update; null when the run did not re-score. */
  after: number | null;
}

const TAGS: Record<string, { tag: string; opens: Part }> = {
  '<think>': { tag: 'think', opens: 'think' },
  '</think>': { tag: '/think', opens: 'plain' },
  '<answer>': { tag: 'answer', opens: 'answer' },
  '</answer>': { tag: '/answer', opens: 'plain' },
  '<eos>': { tag: 'end', opens: 'plain' },
};

/**
 * Tags must be single tokens to count, as they are in the embedded models' vocabulary; tags spelt out by characters
 * stay what they are, plain text. A block that is opened and never closed runs to the end.
 */
export function tokenViews(completion: TokenRecord): TokenView[] {
  let part: Part = 'plain';
  return completion.tokens.map((text, i) => {
    const tag = TAGS[text];
    if (tag) part = tag.opens;
    return {
      text,
      part: tag ? 'tag' : part,
      before: completion.logprobs[i] ?? null,
      after: completion.logprobs_after?.[i] ?? null,
    };
  });
}

/** How a token is written on the page: tags without their brackets, white space made visible. */
export function tokenLabel(text: string): string {
  return TAGS[text]?.tag ?? text.replaceAll('\n', '⏎').replaceAll(' ', '\u00a0');
}

/** Change in log-probability at which the tint is full: the token became e^0.5 ≈ 1.6 times as likely. */
const FULL_TINT = 0.5;

/** The tint of a change in log-probability, −1 … 1; square root, so that small changes show too. */
export function tint(before: number | null, after: number | null): number {
  if (before === null || after === null || !Number.isFinite(after - before)) return 0;
  const change = after - before;
  return Math.sign(change) * Math.sqrt(Math.min(1, Math.abs(change) / FULL_TINT));
}

export interface Segment {
  part: Part;
  tokens: { view: TokenView; index: number }[];
}

/** Runs of neighbouring tokens of the same part. */
export function segments(views: readonly TokenView[]): Segment[] {
  const result: Segment[] = [];
  views.forEach((view, index) => {
    const last = result.at(-1);
    if (last?.part === view.part && view.part !== 'tag') last.tokens.push({ view, index });
    else result.push({ part: view.part, tokens: [{ view, index }] });
  });
  return result;
}
