/**
 * @file Where a formula begins and ends in Markdown. These are the rules:
 *
 * - `\(…\)` is inline, `\[…\]` and `$$…$$` are on display, and so is an environment on its own (`\begin{align}…`).
 *   `\boxed{…}` needs no delimiters.
 * - `$…$` is inline unless it looks like prices or variables: no white space inside the dollars, no letter or digit after
 *   them (except in "$n$th"), no digit right after a letter and a dollar (US$5), and nothing inside that looks like prose,
 *   a piece of a path, emphasis or code. `` $`…`$ `` is inline too.
 * - Three dollars in a row are text.
 * - A formula on display may have empty lines, but no paragraph of prose, heading or fence: then its delimiter was text.
 *   After words and `$$`, the first paragraph must have a sign of TeX: "Price: $$" begins none.
 * - Nothing else begins a formula. Delimiters that enclose none are text, and keep their backslashes.
 */
import { MAX_FORMULA } from './limits';

export interface Formula {
  /** What KaTeX gets: without delimiters. */
  content: string;
  display: boolean;
  /** The position after the formula. */
  end: number;
}

/** No end so far, but more text could bring one. */
export const OPEN = 'open';

/** The formula that begins at a position of a text; `OPEN`, or null if none begins there. */
export function formulaAt(text: string, at: number): Formula | typeof OPEN | null {
  if (text[at] === '$') return text[at + 1] === '$' ? inDoubleDollars(text, at) : inDollars(text, at);
  if (text[at] !== '\\') return null;
  if (text.startsWith('\\[', at)) return enclosed(text, at, '\\]', true);
  if (text.startsWith('\\(', at)) return enclosed(text, at, '\\)', false);
  if (text.startsWith('\\begin{', at)) return environment(text, at);
  return boxed(text, at);
}

/** Whether a formula on display begins at a position, and how long its opening delimiter is. */
export function displayOpener(text: string, at: number): number {
  return /^(?:\$\$(?!\$)|\\\[|\\begin\{[a-zA-Z]{1,20}\*?\})/.exec(text.slice(at, at + 40))?.[0].length ?? 0;
}

function enclosed(text: string, at: number, close: string, display: boolean): Formula | typeof OPEN | null {
  const begin = at + 2;
  const limit = begin + MAX_FORMULA + 2;
  // Without its end anywhere, it need not be looked for step by step.
  const hasEnd = text.slice(begin, limit + 2).includes(close);
  if (!hasEnd && text.length > limit) return null;
  const stop = Math.min(limit, breakOff(text, begin, limit, display));
  const from = hasEnd ? begin : text.length;
  for (let i = from; i < text.length; i++) {
    if (i > stop) return null;
    if (text.startsWith(close, i)) {
      const content = text.slice(begin, i);
      const last = content.slice(content.lastIndexOf('\n\n') + 1);
      if (content.trim() === '' || isProse(content) || isProse(last)) return null;
      // A dollar more makes it text.
      return close === '$$' && text[i + 2] === '$' ? null : { content, display, end: i + 2 };
    }
    if (text[i] === '\\') i++;
  }
  return stop < text.length ? null : OPEN;
}

/**
 * Where the lines after an opening delimiter show that it opens no formula: at an empty line in one that is inline, at a
 * fence, a heading or a paragraph of prose in one on display. Infinity if they don't, as far as they are complete.
 */
function breakOff(text: string, begin: number, limit: number, display: boolean): number {
  let from = begin;
  for (const { index } of text.slice(begin, limit).matchAll(/\n[ \t]*(?=\n)/g)) {
    const end = begin + index;
    if (!display || isProse(text.slice(from, end))) return end;
    from = end;
    if (/^\s*(?:```|~~~|#{1,6} )/.test(text.slice(from, from + 200))) return end;
  }
  return Infinity;
}

function inDoubleDollars(text: string, at: number): Formula | typeof OPEN | null {
  if (text[at + 2] === '$' || text[at - 1] === '$') return null;
  const formula = enclosed(text, at, '$$', true);
  if (formula === null || formula === OPEN) return formula;
  // "from $$ to $$"
  if (/^[ \t]+[a-z]{2,}[ \t]+$/.test(formula.content)) return null;
  return formula;
}

function inDollars(text: string, at: number): Formula | null {
  const begin = at + 1;
  const code = /^`([^`\n]{1,1200})`\$/.exec(text.slice(begin, begin + MAX_FORMULA + 4));
  if (code) return { content: code[1]!, display: false, end: begin + code[0].length };
  if (/\s/.test(text[begin] ?? ' ') || text[at - 1] === '$') return null;
  // "US$5", "10$/h" and "20$, 30$"; but "3$\times$4".
  if (/[A-Za-z\d]/.test(text[at - 1] ?? ' ') && !/[A-Za-z\\^_{(]/.test(text[begin]!)) return null;
  const limit = Math.min(text.length, begin + MAX_FORMULA + 2);
  for (let i = begin; i < limit; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '\n' && /^[ \t]*\n/.test(text.slice(i + 1, i + 100))) return null;
    else if (text[i] === '$') {
      const content = text.slice(begin, i);
      if (/\s$/.test(content) || isMoney(content)) return null;
      return continuesWord(content, text.slice(i + 1, i + 5)) ? null : { content, display: false, end: i + 1 };
    }
  }
  return null;
}

/** Whether what is behind the closing dollar shows that it opens something of its own. Han, kana and Hangul don't. */
function continuesWord(content: string, after: string): boolean {
  // "3$\times$4"
  if (/^\\[a-zA-Z]+$/.test(content)) return false;
  if (/[\w)}]$/.test(content) && /^(?:th|st|nd|rd|s)(?!\p{L})/u.test(after)) return false;
  return /^[\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{N}{$]/u.test(after);
}

/** Signs that prose and prices don't have. */
const TEX_SIGN = /[\\^_={}<>+|]/;
const FUNCTIONS = /^(?:sin|cos|tan|log|ln|lg|exp|max|min|sup|inf|lim|mod|gcd|lcm|det|dim|deg|arg|ker|Pr)$/;
const isWord = (word: string): boolean => /^\p{L}{2,}$/u.test(word) && !FUNCTIONS.test(word);

/** Whether single dollars enclose something other than a formula. */
function isMoney(content: string): boolean {
  if (/`|\*\*/.test(content)) return true;
  if (TEX_SIGN.test(content)) return false;
  if (content.split(/[^\p{L}]+/u).some(isWord) && /\s/.test(content)) return true;
  if (/[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}]/u.test(content)) return true;
  // "$HOME:$" and "$5-$" are beginnings of something; so is "$90 (~$".
  if (/\w/.test(content) && /[/:~,;(–—-]$/.test(content)) return true;
  return count(content, /[([]/g) !== count(content, /[)\]]/g);
}

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Whether a text has words one after the other and none of the signs of a formula. */
export function isProse(text: string): boolean {
  if (TEX_SIGN.test(text)) return false;
  const words = text.split(/[\s,.;:!?()*"'’“”]+/);
  return words.some((word, i) => isWord(word) && isWord(words[i + 1] ?? ''));
}

function environment(text: string, at: number): Formula | typeof OPEN | null {
  const name = /^\\begin\{([a-zA-Z]{1,20}\*?)\}/.exec(text.slice(at, at + 40))?.[1];
  if (name === undefined) return null;
  const tag = new RegExp(`\\\\\\\\|\\\\(begin|end)\\{${name.replace('*', '\\*')}\\}`, 'g');
  tag.lastIndex = at;
  const limit = at + MAX_FORMULA + 50;
  const hasEnd = text.slice(at, limit).includes(`\\end{${name}}`);
  if (!hasEnd && text.length > limit) return null;
  const stop = breakOff(text, at, limit, true);
  let depth = 0;
  if (!hasEnd) tag.lastIndex = text.length;
  for (let found = tag.exec(text); found; found = tag.exec(text)) {
    if (tag.lastIndex > limit || found.index > stop) return null;
    if (found[1] === 'begin') depth++;
    else if (found[1] === 'end' && --depth === 0) {
      return { content: text.slice(at, tag.lastIndex), display: true, end: tag.lastIndex };
    }
  }
  return Math.min(limit, stop) < text.length ? null : OPEN;
}

function boxed(text: string, at: number): Formula | typeof OPEN | null {
  const opening = /^\\(?:boxed|fbox) ?\{/.exec(text.slice(at, at + 10))?.[0];
  if (opening === undefined) return null;
  let depth = 1;
  for (let i = at + opening.length; i < text.length; i++) {
    if (i > at + MAX_FORMULA) return null;
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) {
      const inside = text.slice(at + opening.length, i);
      return inside.trim() === ''
        ? null
        : { content: `\\boxed{${withoutDollars(inside)}}`, display: false, end: i + 1 };
    } else if (char === '\n' && /^[ \t]*\n/.test(text.slice(i + 1, i + 100))) return null;
  }
  return OPEN;
}

/** Dollars around the whole of a box, or before a price in it; words as text, which keeps their spaces. */
function withoutDollars(inside: string): string {
  const bare = /^\s*\$([^$]+)\$\s*$/.exec(inside)?.[1] ?? inside.replace(/(\\?)\$/g, '\\$');
  return isProse(bare) ? `\\text{${bare}}` : bare;
}

/** Whether lines can be a formula that begins with a delimiter behind words. See the rules. */
export function canFollowWords(delimiter: string, lines: string): boolean {
  const [first = ''] = lines.trimStart().split(/\n[ \t]*\n/, 1);
  return delimiter !== '$$' || TEX_SIGN.test(first);
}
