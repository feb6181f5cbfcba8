/**
 * @file Math in Markdown, typeset by KaTeX. formulas.ts says what is a formula. Those that can't be typeset, or that would
 * take too long, are shown as source.
 */
import katex from 'katex';
import type { MarkdownIt, StateBlock, StateInline, Token } from 'markdown-it';
import { canFollowWords, displayOpener, formulaAt, OPEN, type Formula } from './formulas';
import { MAX_BLOCK, MAX_BRACES, MAX_EM, MAX_EXPAND, MAX_FORMULA, MAX_FORMULA_TEXT, MAX_FORMULAS } from './limits';
import { forKatex } from './tex';

/** Definitions could make formulas grow without bound, and answers don't need them. */
const DEFINES = /\\(?:[gex]?def|(?:re)?newcommand|providecommand|(?:future)?let|global|long)(?![a-zA-Z])/;

/** Key for the number of formulas so far, in a block's environment. */
const USED = Symbol('formulas');
interface Used {
  count: number;
  characters: number;
}

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
    html = katex.renderToString(forKatex(source, display), {
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
  md.inline.ruler.before('escape', 'math', inlineMath);
  md.block.ruler.before('fence', 'math_block', mathBlock, { alt: ['paragraph', 'reference', 'blockquote', 'list'] });
  md.block.ruler.before('lheading', 'math_paragraph', mathParagraph);

  md.renderer.rules['math'] = (tokens, index, _options, env) => {
    const { content, info } = tokens[index]!;
    const display = info === 'display';
    const used = (env?.[USED] as Used | undefined) ?? { count: 0, characters: 0 };
    used.count++;
    used.characters += content.length;
    if (env) env[USED] = used;
    const tooMuch = used.count > MAX_FORMULAS || used.characters > MAX_FORMULA_TEXT;
    const html = tooMuch ? null : renderMath(content.trim(), display);
    const source = md.utils.escapeHtml(content);
    if (!display) return html ?? `<code>${source}</code>`;
    return `<span class="display-math">${html ?? `<code class="plain">${source}</code>`}</span>`;
  };
  md.renderer.rules['math_source'] = (tokens, index) =>
    `<p class="plain">${md.utils.escapeHtml(tokens[index]!.content)}</p>\n`;
}

function inlineMath(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  const code = src.charCodeAt(pos);
  if (code !== 0x24 && code !== 0x5c) return false;
  const formula = formulaAt(src.slice(0, state.posMax), pos);
  if (formula !== null && formula !== OPEN) {
    if (!silent) setFormula(state.push('math', '', 0), formula);
    state.pos = formula.end;
    return true;
  }
  // What is no formula is text, backslashes included. The second of two dollars must not open one.
  const delimiter = /^(?:\\[[\]()]|\$\$+)/.exec(src.slice(pos, state.posMax))?.[0] ?? '';
  const rest = formula === OPEN ? src.slice(pos, state.posMax) : '';
  const text = /\\[a-zA-Z\\]/.test(rest) ? rest : delimiter;
  if (text === '') return false;
  if (!silent) state.pending += text;
  state.pos += text.length;
  return true;
}

/** A formula on display that has its lines for itself; or the beginning of one, while its end is missing. */
function mathBlock(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  if (state.sCount[startLine]! - state.blkIndent >= 4) return false;
  const start = state.bMarks[startLine]! + state.tShift[startLine]!;
  const opener = displayOpener(state.src, start);
  if (opener === 0 || !canEnd(state, startLine, endLine, opener)) return false;
  const { text, isWhole } = linesFrom(state, startLine, endLine, FORMULA_LINES);
  const begin = /^\s*/.exec(text)![0].length;
  const formula = formulaAt(text, begin);
  if (formula === null) return false;
  let lines: number;
  if (formula === OPEN) {
    const firstLine = state.src.slice(start + opener, state.eMarks[startLine]).trim();
    if (!isWhole || (firstLine !== '' && !/[\\^_={}]/.test(firstLine))) return false;
    lines = text.split('\n').length;
  } else {
    if (!/^[ \t]*(?:\n|$)/.test(text.slice(formula.end))) return false;
    lines = text.slice(0, formula.end).split('\n').length;
  }
  if (silent) return true;
  if (formula === OPEN) state.push('math_source', '', 0).content = text.slice(begin);
  else setFormula(state.push('math', '', 0), formula);
  const token = state.tokens.at(-1)!;
  token.block = true;
  token.map = [startLine, startLine + lines];
  state.line = startLine + lines;
  return true;
}

/**
 * A paragraph with a formula on display that begins or ends within a line. The paragraph goes on through the formula's
 * lines, even those that are empty or would otherwise be a list, a heading or a quote.
 */
function mathParagraph(state: StateBlock, startLine: number, endLine: number): boolean {
  if (state.sCount[startLine]! - state.blkIndent >= 4) return false;
  const from = state.bMarks[startLine]! + state.tShift[startLine]!;
  const firstEmpty = /\n[ \t]*\n/.exec(state.src.slice(from, from + MAX_BLOCK))?.index ?? MAX_BLOCK;
  if (!/\$\$|\\\[|\\begin\{/.test(state.src.slice(from, from + firstEmpty))) return false;
  const { text, isWhole } = linesFrom(state, startLine, endLine, firstEmpty + FORMULA_LINES);
  const parent = state.parentType;
  state.parentType = 'paragraph';
  const end = endOfMathParagraph(text, isWhole, (line) => isInterrupted(state, startLine + line, endLine));
  state.parentType = parent;
  if (end === null) return false;
  const content = text.slice(0, end);
  state.line = startLine + content.split('\n').length;
  state.push('paragraph_open', 'p', 1).map = [startLine, state.line];
  const inline = state.push('inline', '', 0);
  inline.content = content.trim();
  inline.map = [startLine, state.line];
  inline.children = [];
  state.push('paragraph_close', 'p', -1);
  return true;
}

/** Where a paragraph ends that has a formula of several lines; null if it has none, and is a common paragraph. */
function endOfMathParagraph(text: string, isWhole: boolean, interrupts: (line: number) => boolean): number | null {
  let hasLines = false;
  let line = 0;
  for (let at = 0; at < text.length;) {
    const char = text[at];
    if (char === '\n') {
      line++;
      if (/^[ \t]*(?:\n|$)/.test(text.slice(at + 1, at + 200)) || interrupts(line)) return hasLines ? at : null;
    }
    if (char === '`') {
      const fence = /^`+/.exec(text.slice(at))![0];
      const close = new RegExp(`[^\`]${fence}(?!\`)`).exec(text.slice(at + fence.length, at + MAX_BLOCK));
      const span = close ? text.slice(at, at + fence.length + close.index + 1 + fence.length) : fence;
      at += /\n/.test(span) ? fence.length : span.length;
      continue;
    }
    const formula = char === '$' || char === '\\' ? formulaAt(text, at) : null;
    if (formula === OPEN) {
      const opener = displayOpener(text, at);
      const lines = text.slice(at + opener);
      // A delimiter at the end of a line opens something; elsewhere it may as well be text.
      const opens = isWhole && opener > 0 && /^[ \t]*\n/.test(lines);
      if (opens && canFollowWords(text.slice(at, at + opener), lines)) return text.length;
    } else if (formula) {
      const lines = text.slice(at, formula.end).split('\n').length - 1;
      if (lines === 0 || (formula.display && canFollowWords(text.slice(at, at + 2), formula.content))) {
        hasLines ||= lines > 0;
        line += lines;
        at = formula.end;
        continue;
      }
    }
    at += char === '\\' || text.startsWith('$$', at) ? 2 : 1;
  }
  return hasLines ? text.length : null;
}

function isInterrupted(state: StateBlock, line: number, endLine: number): boolean {
  if (state.sCount[line]! - state.blkIndent > 3 || state.sCount[line]! < 0) return false;
  return state.md.block.ruler.getRules('paragraph').some((rule) => rule(state, line, endLine, true));
}

/** Characters of the lines in which a formula must end. */
const FORMULA_LINES = MAX_FORMULA + 200;

/** Whether the end of a formula is near enough, or may still come. Cheap, since this is asked for many lines. */
function canEnd(state: StateBlock, startLine: number, endLine: number, opener: number): boolean {
  const start = state.bMarks[startLine]! + state.tShift[startLine]!;
  if (state.bMarks[endLine - 1]! - start <= FORMULA_LINES) return true;
  const delimiter = state.src.slice(start, start + opener);
  const close = delimiter === '$$' ? '$$' : delimiter === '\\[' ? '\\]' : '\\end{';
  return state.src.slice(start + opener, start + 2 * FORMULA_LINES).includes(close);
}

/** The lines of this block from one on, of `limit` characters or a few more; `isWhole` if that is all that there are. */
function linesFrom(state: StateBlock, startLine: number, endLine: number, limit: number) {
  let line = startLine;
  while (line < endLine && state.bMarks[line]! - state.bMarks[startLine]! <= limit) {
    if (line > startLine && !state.isEmpty(line) && state.sCount[line]! < state.blkIndent) break;
    line++;
  }
  const text = state.getLines(startLine, line, state.blkIndent, false);
  return { text, isWhole: line >= endLine };
}

function setFormula(token: Token, { content, display }: Formula): void {
  token.content = content;
  token.info = display ? 'display' : 'inline';
}
