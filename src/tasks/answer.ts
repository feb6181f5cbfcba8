/**
 * @file The one reader of what models answer: thoughts, answer, whether the format was kept, how it thinks, and whether
 * two answers say the same. Rewards, evaluation, distillation and chat all read through it; remote/…/answer.py is the
 * same in Python. Everything read here was written by a model or a stranger: it is read in linear time and never evaluated.
 */
import { markedAnswer, taggedSpan, boxedSpan, unmarkedAnswer } from './answers/free-text';
import { joinThousands } from './answers/notation';
import { isInCode, separateThoughts, THINK_CLOSE, THINK_OPEN } from './answers/thoughts';
import { SPECIAL_TOKENS } from './vocabulary';

export { onlyValue } from './answers/free-text';
export { sameAnswer } from './answers/same-answer';

export { startsThinking, THINK_CLOSE, THINK_OPEN } from './answers/thoughts';
const ANSWER_OPEN = '<answer>';
const ANSWER_CLOSE = '</answer>';

/** How a sampled completion thinks. A `bare` trace, which is a number alone, is one of many ways to be `unformatted`. */
export const COMPLETION_STYLES = ['unformatted', 'direct', 'partial', 'full', 'check'] as const;
export type CompletionStyle = (typeof COMPLETION_STYLES)[number];

export interface ParsedCompletion {
  /** Exactly `<think>…</think><answer>…</answer>`: no other text, no further tag. */
  formatted: boolean;
  /** Text of the first think block; up to the end if it is not closed; null without one. */
  think: string | null;
  /** Text of the answer; null without one. In the toy tasks only that of a formatted completion is worth verifying. */
  answer: string | null;
  style: CompletionStyle;
}

/**
 * Reads a completion of the small models, which must keep the format to the letter.
 * @param text the decoded completion, special tokens written out, without `<eos>`
 * @param steps how many steps the problem's own solution has: fewer lines than that in the think block are `partial`
 */
export function parseCompletion(text: string, steps: number): ParsedCompletion {
  const think = between(text, THINK_OPEN, THINK_CLOSE);
  const answer = between(text, ANSWER_OPEN, ANSWER_CLOSE);
  const formatted =
    think !== null &&
    answer !== null &&
    text === formatCompletion(think, answer) &&
    !containsTag(think) &&
    !containsTag(answer);
  return { formatted, think, answer, style: formatted ? styleOf(think, steps) : 'unformatted' };
}

/**
 * Reads a completion of a chat model: whitespace between and around the blocks is free, the chat template may have opened
 * the thoughts, and the answer may be boxed instead of tagged.
 */
export function parseChatCompletion(text: string): ParsedCompletion {
  const end = text.indexOf(THINK_CLOSE);
  const think = end < 0 ? null : withoutPrefix(text.slice(0, end).trimStart(), THINK_OPEN);
  const rest = end < 0 ? text : text.slice(end + THINK_CLOSE.length);
  const answer = (taggedSpan(rest) ?? boxedSpan(rest))?.inside ?? null;
  const formatted =
    think !== null &&
    answer !== null &&
    rest.trim() === `${ANSWER_OPEN}${answer}${ANSWER_CLOSE}` &&
    !containsTag(think) &&
    !containsTag(answer);
  const style = think?.trim() === '' ? 'direct' : 'full';
  return { formatted, think, answer, style: formatted ? style : 'unformatted' };
}

/** The format that the small models are taught. */
export const formatCompletion = (think: string, answer: string): string =>
  `${THINK_OPEN}${think}${THINK_CLOSE}${ANSWER_OPEN}${answer}${ANSWER_CLOSE}`;

/** Whether one of the format's own tags, or another special token, stands in a text. */
export const containsTag = (text: string): boolean => SPECIAL_TOKENS.some((tag) => text.includes(tag));

/**
 * The final answer in free text. What follows the thoughts is read first, and the thoughts only when there is no answer
 * after them. The last `\boxed{…}`, `<answer>…</answer>` or `#### …` counts; without one, what follows "the answer is";
 * else the last value, with its sign, fraction, power, unit and percent sign.
 * @returns the answer without dollar signs and, when it is a number, without thousands separators; null without any
 */
export function finalAnswer(text: string): string | null {
  const { thoughts, first, answer } = separateThoughts(text);
  if (thoughts.length === 0) return answerIn(text);
  // Thoughts between parts of the answer are not read: they may well doubt it.
  return answerIn(withoutStrayTags(answer)) ?? (first ? answerIn(thoughts[0]!) : null);
}

function answerIn(text: string): string | null {
  const marked = markedAnswer(text);
  if (marked === null) {
    const value = unmarkedAnswer(text);
    return value === null ? null : tidy(value);
  }
  const inner = boxedSpan(marked)?.inside ?? marked;
  return tidy(
    inner.length < 500 ? inner.replace(/^\s*(?:\\text *\{)?[^{}\\]*\banswer is:? *\}? */i, '') || inner : inner,
  );
}

/** A number alone, however it is set, becomes plain digits; any other answer only loses its dollar signs. */
function tidy(answer: string): string {
  const bare = answer
    .trim()
    .replace(/^\${1,2}|\${1,2}$/g, '')
    .trim();
  if (bare.length > 200) return bare;
  const plain = joinThousands(
    bare
      .replace(/^\\?\$ */, '')
      .replace(/^([-+\u2212]) *\\?\$ */, '$1')
      .replace(/\u2212/g, '-')
      .replace(/\{,\}/g, ',')
      .replace(/,\\!|\\,|[\u00a0\u2009\u202f]/g, (separator) => (separator === ',\\!' ? ',' : '~')),
  ).replace(/\.$/, '');
  return /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)$/.test(plain) ? plain : bare;
}

/** Thoughts and answer of a message, as a chat shows them while it streams. */
export interface ThoughtParts {
  /** Null when the message has no thoughts. */
  thought: string | null;
  /** The thoughts go on, or were never closed. */
  open: boolean;
  answer: string;
}

/**
 * Splits a message into its thoughts, of all blocks together, and its answer. Until the closing tag of thoughts that the
 * template opened comes, such text counts as an answer; chat models therefore send the template's `<think>` with their
 * first token.
 */
export function splitThought(text: string): ThoughtParts {
  // While the tag itself streams in, it is not shown as an answer.
  if (text.length < THINK_OPEN.length + 2 && text.trim() !== '' && THINK_OPEN.startsWith(text.trim())) {
    return { thought: '', open: true, answer: '' };
  }
  const { thoughts, open, answer } = separateThoughts(text);
  if (thoughts.length === 0) return { thought: null, open: false, answer: text };
  const last = thoughts.length - 1;
  const trimmed = thoughts.map((thought, i) => (open && i === last ? thought.trimStart() : thought.trim()));
  return { thought: trimmed.filter((thought, i) => thought !== '' || i === 0).join('\n\n'), open, answer };
}

/** What later turns of a chat are told of a message: its answer, without thoughts. */
export function withoutThought(text: string): string {
  const { thoughts, answer } = separateThoughts(text);
  return thoughts.length === 0 ? text : withoutStrayTags(answer);
}

/** What follows the last closing tag without an opening one, as models' templates read a message. */
function withoutStrayTags(answer: string): string {
  const end = answer.lastIndexOf(THINK_CLOSE);
  return end < 0 || isInCode(answer, end) ? answer : answer.slice(end + THINK_CLOSE.length).trimStart();
}

/** An answer without the `<answer>…</answer>` around it that the small models and R1-Zero write. */
export function unwrapAnswer(text: string): { text: string; wrapped: boolean } {
  const match = /^\s*<answer>([^]*?)(?:<\/answer>\s*(?:<eos>)?\s*)?$/.exec(text);
  return match ? { text: match[1]!, wrapped: true } : { text, wrapped: false };
}

function withoutPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : text;
}

function styleOf(think: string, steps: number): CompletionStyle {
  const lines = think.split(';').filter((line) => line.trim() !== '').length;
  if (lines === 0) return 'direct';
  if (think.includes('wait')) return 'check';
  return lines < steps ? 'partial' : 'full';
}

function between(text: string, open: string, close: string): string | null {
  const start = text.indexOf(open);
  if (start < 0) return null;
  const end = text.indexOf(close, start + open.length);
  return text.slice(start + open.length, end < 0 ? undefined : end);
}
