/**
 * @file Math in Markdown, typeset by KaTeX: `$…$` and `\(…\)` inline, `$$…$$` and `\[…\]` on display. Formulas that can't
 * be typeset, or that would take too long, are shown as source.
 */
import katex from 'katex';
import type { MarkdownIt } from 'markdown-it';
import { MAX_BRACES, MAX_EM, MAX_EXPAND, MAX_FORMULA, MAX_FORMULA_TEXT, MAX_FORMULAS } from './limits';

/** Definitions could make formulas grow without bound, and answers don't need them. */
const DEFINES = /\\(?:[gex]?def|(?:re)?newcommand|providecommand|(?:future)?let|global|long)(?![a-zA-Z])/;

const DELIMITERS = [
  { open: '$$', close: '$$', display: true },
  { open: '\\[', close: '\\]', display: true },
  { open: '\\(', close: '\\)', display: false },
  { open: '$', close: '$', display: false },
] as const;

/** Key for the number of formulas so far, in a block's environment. */
const USED = Symbol('formulas');
interface Used {
  count: number;
  characters: number;
}

type Delimiter = (typeof DELIMITERS)[number];

/** Typeset formulas by source, because the last block of a growing answer is rendered again and again. */
const typeset = new Map<string, string>();
const CACHED = 400;

/** HTML of a formula; null if it has to be shown as source. */
export function renderMath(source: string, display: boolean): string | null {
  if (source.length > MAX_FORMULA || DEFINES.test(source) || bracesOf(source) > MAX_BRACES) return null;
  const key = `${display ? 'D' : 'I'}${source}`;
  const known = typeset.get(key);
  if (known !== undefined) return known || null;
  let html = '';
  try {
    html = katex.renderToString(source, {
      displayMode: display,
      throwOnError: true,
      strict: 'ignore',
      trust: false,
      maxExpand: MAX_EXPAND,
      maxSize: MAX_EM,
      output: 'htmlAndMathml',
    });
  } catch {
    // Half a formula while it streams, an unknown command, or nested too deeply for the stack.
  }
  if (typeset.size >= CACHED) typeset.delete(typeset.keys().next().value!);
  typeset.set(key, html);
  return html || null;
}

/** How deeply the braces of a formula are nested. */
function bracesOf(source: string): number {
  let depth = 0;
  let deepest = 0;
  for (const char of source) {
    if (char === '{') deepest = Math.max(deepest, ++depth);
    else if (char === '}') depth--;
  }
  return deepest;
}

/** Finds formulas before Markdown interprets their backslashes, underscores and asterisks. */
export function mathPlugin(md: MarkdownIt): void {
  md.inline.ruler.before('escape', 'math', (state, silent) => {
    const { src, pos } = state;
    const code = src.charCodeAt(pos);
    if (code !== 0x24 && code !== 0x5c) return false;
    const delimiter = DELIMITERS.find(({ open }) => src.startsWith(open, pos));
    if (!delimiter) return false;
    const begin = pos + delimiter.open.length;
    const end = closing(src, begin, Math.min(state.posMax, begin + MAX_FORMULA + 2), delimiter);
    if (end === null) {
      // A lone pair of dollars is text, and its second dollar must not open a formula.
      if (delimiter.open !== '$$') return false;
      if (!silent) state.pending += '$$';
      state.pos = begin;
      return true;
    }
    if (!silent) push(state.push('math', '', 0), src.slice(begin, end), delimiter.display);
    state.pos = end + delimiter.close.length;
    return true;
  });

  md.block.ruler.before(
    'fence',
    'math_block',
    (state, startLine, endLine, silent) => {
      const begin = state.bMarks[startLine]! + state.tShift[startLine]!;
      if (state.sCount[startLine]! - state.blkIndent >= 4) return false;
      const delimiter = DELIMITERS.find(({ open, display }) => display && state.src.startsWith(open, begin));
      if (!delimiter) return false;
      for (let line = startLine; line < endLine; line++) {
        const from = line === startLine ? begin + 2 : state.bMarks[line]!;
        const end = state.src.slice(from, state.eMarks[line]).trimEnd();
        if (from - begin > MAX_FORMULA + 2) return false;
        const at = end.indexOf(delimiter.close);
        if (at < 0) {
          if (line > startLine && end.trim() === '') return false;
          continue;
        }
        // Text after the formula: a paragraph with math in it.
        if (at !== end.length - 2) return false;
        if (silent) return true;
        const token = state.push('math', '', 0);
        push(
          token,
          state
            .getLines(startLine, line + 1, state.blkIndent, false)
            .trim()
            .slice(2, -2),
          true,
        );
        token.block = true;
        token.map = [startLine, line + 1];
        state.line = line + 1;
        return true;
      }
      return false;
    },
    { alt: ['paragraph', 'reference', 'blockquote', 'list'] },
  );

  md.renderer.rules['math'] = (tokens, index, _options, env) => {
    const { content, info } = tokens[index]!;
    const display = info === 'display';
    const used = (env?.[USED] as Used | undefined) ?? { count: 0, characters: 0 };
    used.count++;
    used.characters += content.length;
    if (env) env[USED] = used;
    const tooMuch = used.count > MAX_FORMULAS || used.characters > MAX_FORMULA_TEXT;
    const html = tooMuch ? null : renderMath(content.trim(), display);
    const inner = html ?? `<code>${md.utils.escapeHtml(content)}</code>`;
    return display ? `<span class="display-math">${inner}</span>` : inner;
  };
}

function push(token: { content: string; info: string }, content: string, display: boolean): void {
  token.content = content;
  token.info = display ? 'display' : 'inline';
}

/** Where the formula ends that begins at `begin`; null if none begins there. */
function closing(src: string, begin: number, limit: number, { open, close }: Delimiter): number | null {
  const single = open === '$';
  // "$5 and $6" is money. A formula has no space inside its dollars and no digit after them.
  if (single && /\s/.test(src[begin] ?? ' ')) return null;
  for (let at = begin; at < limit; at++) {
    if (src.startsWith(close, at)) {
      if (at === begin) return null;
      if (single && (/\s/.test(src[at - 1]!) || /\d/.test(src[at + 1] ?? ''))) return null;
      return at;
    }
    const char = src[at];
    if (char === '\\') at++;
    else if (single && char === '\n' && src[at + 1] === '\n') return null;
  }
  return null;
}
