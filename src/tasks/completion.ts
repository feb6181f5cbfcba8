/** @file Reads a completion: is it well formed, what is the thought, what the answer, and how does it think. */
import { SPECIAL_TOKENS } from './vocabulary';

/** How a sampled completion thinks. What a writer calls `bare` is one of many ways to be `unformatted`. */
export const COMPLETION_STYLES = ['unformatted', 'direct', 'partial', 'full', 'check'] as const;
export type CompletionStyle = (typeof COMPLETION_STYLES)[number];

export interface ParsedCompletion {
  /** Exactly `<think>…</think><answer>…</answer>`: no other text, no further tag. */
  formatted: boolean;
  /** Text of the first think block; up to the end if it is not closed; null without one. */
  think: string | null;
  /** Text of the first answer block, likewise. Only the answer of a formatted completion is worth verifying. */
  answer: string | null;
  style: CompletionStyle;
}

/**
 * @param text the decoded completion, special tokens written out, without `<eos>` (hostile; read in linear time).
 * @param steps how many steps the problem's own solution has: fewer lines than that in the think block are `partial`.
 */
export function parseCompletion(text: string, steps: number): ParsedCompletion {
  const think = between(text, '<think>', '</think>');
  const answer = between(text, '<answer>', '</answer>');
  const formatted =
    think !== null &&
    answer !== null &&
    text === `<think>${think}</think><answer>${answer}</answer>` &&
    !containsTag(think) &&
    !containsTag(answer);
  return { formatted, think, answer, style: formatted ? styleOf(think, steps) : 'unformatted' };
}

/**
 * Reads an answer in a chat: whitespace between and around the blocks is free, a template may have opened the thought, and
 * models that were trained to may box their answer.
 * @param text as for `parseCompletion`
 */
export function parseChatCompletion(text: string): ParsedCompletion {
  const end = text.indexOf('</think>');
  const think =
    end < 0
      ? null
      : text
          .slice(0, end)
          .trimStart()
          .replace(/^<think>/, '');
  const rest = end < 0 ? text : text.slice(end + '</think>'.length);
  const answer = lastBetween(rest, '<answer>', '</answer>') ?? lastBetween(rest, '\\boxed{', '}');
  const formatted =
    think !== null &&
    answer !== null &&
    rest.trim() === `<answer>${answer}</answer>` &&
    !containsTag(think) &&
    !containsTag(answer);
  const style = think?.trim() === '' ? 'direct' : 'full';
  return { formatted, think, answer, style: formatted ? style : 'unformatted' };
}

function lastBetween(text: string, open: string, close: string): string | null {
  const start = text.lastIndexOf(open);
  const end = start < 0 ? -1 : text.indexOf(close, start + open.length);
  return end < 0 ? null : text.slice(start + open.length, end);
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

function containsTag(text: string): boolean {
  return SPECIAL_TOKENS.some((tag) => text.includes(tag));
}
