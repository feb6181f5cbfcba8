/**
 * @file Cuts a growing markdown text into its top-level blocks, so that only the last ones are rendered anew when more
 * text arrives. A block is sure not to change once two more have begun after it.
 */
import type { MarkdownIt, Token } from 'markdown-it';
import { MAX_BLOCK } from './limits';

export interface Block {
  /** `code` and `plain` are too long to be read as markdown. */
  kind: 'markdown' | 'code' | 'plain';
  source: string;
}

/** The last block may still turn into something else, and with its last line become one with the block before. */
const UNSURE = 2;

export class BlockSplitter {
  readonly blocks: Block[] = [];
  /** Link references of all blocks, for markdown-it. */
  readonly env: Record<string, unknown> = {};
  readonly #md: MarkdownIt;
  #text = '';
  /** Blocks that are sure, and where they end. */
  #sure = 0;
  #sureEnd = 0;

  constructor(md: MarkdownIt) {
    this.#md = md;
  }

  /** Takes the whole text as it is now; cheap when it only grew. */
  update(text: string): readonly Block[] {
    if (!text.startsWith(this.#text)) this.#sure = this.#sureEnd = 0;
    this.#text = text;
    this.blocks.length = this.#sure;
    let position = this.#sureEnd;
    const ends: number[] = [];
    const push = (kind: Block['kind'], end: number): void => {
      this.blocks.push({ kind, source: text.slice(position, end) });
      ends.push((position = end));
    };
    while (position < text.length) {
      const begin = position;
      const window = text.slice(begin, windowEnd(text, begin));
      const whole = begin + window.length === text.length;
      const found = this.#split(window);
      // What the window's end cuts through is looked at again from its own beginning.
      const complete = whole ? found : found.slice(0, -1);
      for (const end of complete) push('markdown', begin + end);
      if (complete.length > 0) continue;
      const fenceEnd = endOfFence(text, begin);
      if (fenceEnd === null) push('plain', begin + window.length);
      else push('code', fenceEnd);
    }
    const sure = Math.max(0, ends.length - UNSURE);
    if (sure > 0) {
      this.#sure += sure;
      this.#sureEnd = ends[sure - 1]!;
    }
    return this.blocks;
  }

  /** Where the top-level blocks of a text end; together they are all of it. */
  #split(text: string): number[] {
    const tokens: Token[] = [];
    this.#md.block.parse(text, this.#md, this.env, tokens);
    const lines = lineStarts(text);
    const begins: number[] = [];
    for (const { level, map, nesting } of tokens) {
      if (level === 0 && map && nesting >= 0) begins.push(lines[map[0]] ?? text.length);
    }
    // What comes before the first block (definitions, empty lines) belongs to it.
    return [...begins.slice(1), text.length];
  }
}

/** The end of the part that is read at once: all of the rest, or as many whole lines as fit. */
function windowEnd(text: string, begin: number): number {
  if (text.length - begin <= MAX_BLOCK) return text.length;
  const newline = text.lastIndexOf('\n', begin + MAX_BLOCK - 1);
  return newline > begin ? newline + 1 : begin + MAX_BLOCK;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Where the fenced code ends that begins at a position; null when none does. */
function endOfFence(text: string, begin: number): number | null {
  const opening = /^\s{0,200}?(`{3,}|~{3,})[^\n]{0,200}\n/.exec(text.slice(begin, begin + 600));
  if (!opening) return null;
  const marker = opening[1]!;
  const closing = `\n${marker}`;
  const at = text.indexOf(closing, begin + opening[0].length - 1);
  if (at < 0) return text.length;
  const newline = text.indexOf('\n', at + closing.length);
  return newline < 0 ? text.length : newline + 1;
}
