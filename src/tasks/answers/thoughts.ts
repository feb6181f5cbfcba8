/**
 * @file Separates a message's thoughts from its answer. A message may have several blocks of thoughts: before the answer,
 * and between its parts, where a server sends reasoning late.
 */

export const THINK_OPEN = '<think>';
export const THINK_CLOSE = '</think>';

const STARTS_THINKING = /^\s*<think>/;

/** Whether a message begins with its thoughts. */
export const startsThinking = (text: string): boolean => STARTS_THINKING.test(text);

export interface SeparatedMessage {
  /** The blocks of thoughts in order, without their tags. */
  thoughts: string[];
  /** The first block comes before the answer. */
  first: boolean;
  /** The last block was never closed. */
  open: boolean;
  /** Everything else, without the blank lines after the blocks. */
  answer: string;
}

/**
 * Separates a message. The first block is what comes before the first `</think>`, whether `<think>` opens it or the chat
 * template did. A later block begins with `<think>` right after another block, or with `<think>` and a line break, as
 * ReasoningTags in src/servers writes it. Any other tag is text, and so is a tag in code.
 */
export function separateThoughts(text: string): SeparatedMessage {
  const isCode = codeAt(text);
  const find = (tag: string, from: number): number => findOutside(text, tag, from, isCode);
  const separated: SeparatedMessage = { thoughts: [], first: false, open: false, answer: '' };
  let at = STARTS_THINKING.exec(text)?.[0].length ?? 0;
  let close = find(THINK_CLOSE, at);
  // A fence that thoughts left open pairs with one of the answer, and the closing tag is between them.
  if (at > 0 && close < 0) close = findOutside(text, THINK_CLOSE, at, codeAt(text, MENTION));
  if (at === 0) {
    // Without an opening tag at the start, a closing tag counts unless a later block has opened before it.
    const open = findBlock(0, find);
    if (close < 0 || (open >= 0 && open < close)) close = -1;
  }
  separated.first = at > 0 || close >= 0;
  for (let inside = separated.first; ; inside = true) {
    if (inside) {
      separated.thoughts.push(text.slice(at, close < 0 ? undefined : close));
      if (close < 0) return { ...separated, open: true };
      at = close + THINK_CLOSE.length;
      at += /^\n{0,2}/.exec(text.slice(at, at + 2))![0].length;
    }
    const follows = inside ? (/^\s*<think>/.exec(text.slice(at, at + 1000))?.[0].length ?? 0) : 0;
    const open = follows > 0 ? at + follows - THINK_OPEN.length : findBlock(at, find);
    separated.answer += text.slice(at, open < 0 ? undefined : open);
    if (open < 0) break;
    at = open + THINK_OPEN.length;
    close = find(THINK_CLOSE, at);
  }
  if (separated.thoughts.length > 0) separated.answer = separated.answer.trimStart();
  return separated;
}

/** Where a tag is outside of code; -1 where it isn't. */
function findOutside(text: string, tag: string, from: number, isCode: (at: number) => boolean): number {
  let at = text.indexOf(tag, from);
  while (at >= 0 && isCode(at)) at = text.indexOf(tag, at + tag.length);
  return at;
}

/** Where a later block begins; -1 where there is none. */
const findBlock = (from: number, find: (tag: string, from: number) => number): number => find(`${THINK_OPEN}\n`, from);

/** A code span that mentions a tag, such as `</think>`. Other backticks may well belong to two different spans. */
const MENTION = /`+<[^`\n]*>`+/g;
const CODE = /^```[^\n]*\n[^]*?^```|`+<[^`\n]*>`+/gm;

/** Whether a position is in a code span that mentions a tag, or in a fenced block. */
export const isInCode = (text: string, at: number): boolean => codeAt(text)(at);

/** Tells positions in code from others. The spans are in order, so that many tags in long texts are found quickly. */
function codeAt(text: string, code = CODE): (at: number) => boolean {
  if (!text.includes('`')) return () => false;
  const spans = [...text.matchAll(code)].map(({ index, 0: { length } }) => ({
    begin: index,
    end: index + length,
  }));
  return (at) => {
    let low = 0;
    let high = spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spans[middle]!.end <= at) low = middle + 1;
      else high = middle;
    }
    return low < spans.length && spans[low]!.begin <= at;
  };
}
