/**
 * @file Converts Markdown to HTML. HTML in the text stays text, images become links, and links are http(s) or mailto. The
 * result goes through sanitize.ts before it reaches the page.
 */
import Markdown, { type MarkdownIt, type Token } from 'markdown-it';
import cjkFriendly from 'markdown-it-cjk-friendly';
import type { Block } from './blocks';
import { t } from '../../i18n';
import { highlightCode } from './highlight';
import { MAX_CELLS, MAX_CODE, MAX_NESTING } from './limits';
import { mathPlugin, renderMath } from './math';

const SAFE_LINK = /^(?:https?:|mailto:)/i;

export function createMarkdown(): MarkdownIt {
  const md = new Markdown({ html: false, linkify: true, breaks: false, maxNesting: MAX_NESTING });
  md.validateLink = (url) => SAFE_LINK.test(url.trim());
  // Names without a scheme ("readme.md", "e.g.so") are seldom addresses.
  md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  md.use(mathPlugin);
  // Emphasis whose marks touch Chinese, Japanese or Korean is emphasis, which CommonMark's own rule denies.
  md.use(cjkFriendly);
  md.renderer.rules['image'] = (tokens, index) => {
    const token = tokens[index]!;
    const url = String(token.attrGet('src') ?? '');
    const text = md.utils.escapeHtml(token.content || t('common:markdown.image'));
    return SAFE_LINK.test(url) ? `<a href="${md.utils.escapeHtml(url)}">${text}</a>` : text;
  };
  md.renderer.rules['fence'] = (tokens, index) => {
    const { content, info } = tokens[index]!;
    const language = info.trim().split(/\s+/)[0] ?? '';
    const math = /^(?:math|katex)$/i.test(language) ? renderMath(content.trim(), true) : null;
    return math ? `<span class="display-math">${math}</span>` : codeBlock(md, content, language);
  };
  md.renderer.rules['code_block'] = (tokens, index) => codeBlock(md, tokens[index]!.content, '');
  return md;
}

/** HTML of one top-level block. @param env link references, shared by the blocks of a text */
export function renderBlock(md: MarkdownIt, block: Block, env: Record<string, unknown>): string {
  if (block.kind === 'plain') return plain(md, block.source);
  if (block.kind === 'code') {
    const [, info = '', body = ''] = /^\s*(?:`{3,}|~{3,})([^\n]*)\n([^]*)$/.exec(block.source) ?? [];
    return codeBlock(md, body.replace(/\n(?:`{3,}|~{3,})\s*$/, '\n'), info.trim().split(/\s+/)[0] ?? '');
  }
  const own = { ...env };
  const tokens = md.parse(block.source, own);
  // markdown-it drops whatever is nested deeper than its limit.
  if (tokens.some(({ level }) => level >= MAX_NESTING - 2)) return plain(md, block.source);
  return md.renderer.render(capTables(tokens), md.options, own);
}

const plain = (md: MarkdownIt, text: string): string => `<p class="plain">${md.utils.escapeHtml(text)}</p>`;

function codeBlock(md: MarkdownIt, code: string, language: string): string {
  const shown = code.length > MAX_CODE ? code.slice(0, MAX_CODE) : code;
  const name = /^[\w+#.-]{1,20}$/.test(language) ? language.toLowerCase() : '';
  const html = (name && highlightCode(shown, name)) || md.utils.escapeHtml(shown);
  const rest = code.length - shown.length;
  const note = rest > 0 ? cut(t('common:markdown.moreCharacters', { count: rest })) : '';
  return `<pre><code${name ? ` class="language-${name}"` : ''}>${html}</code></pre>${note}`;
}

const cut = (text: string): string => `<p class="cut">${text}</p>`;

type Tokens = Token[];

/** Leaves out the cells of a table beyond the limit, with a note that says so. */
function capTables(tokens: Tokens): Tokens {
  const kept: Tokens = [];
  let cells = 0;
  let inTable = false;
  let rowKept = true;
  for (const token of tokens) {
    const { type } = token;
    if (type === 'table_open') {
      inTable = true;
      cells = 0;
    }
    if (!inTable) {
      kept.push(token);
      continue;
    }
    if (type === 'tr_open') rowKept = cells < MAX_CELLS;
    if (type === 'th_open' || type === 'td_open') cells++;
    const ofCell = /^(?:t[hd]_|inline$)/.test(type);
    if (ofCell ? rowKept && cells <= MAX_CELLS : rowKept || !type.startsWith('tr_')) kept.push(token);
    if (type !== 'table_close') continue;
    inTable = false;
    if (cells > MAX_CELLS) {
      kept.push(noteToken(token, t('common:markdown.moreCells', { count: cells - MAX_CELLS })));
    }
  }
  return kept;
}

function noteToken(like: Tokens[number], text: string): Tokens[number] {
  const Token = like.constructor as new (type: string, tag: string, nesting: 0) => Tokens[number];
  const token = new Token('html_block', '', 0);
  token.content = cut(text);
  return token;
}
