/**
 * @file Splits a growing Markdown text into its top-level blocks, so that only the last ones are rendered again when more
 * text arrives. A block is final once two more blocks have begun after it.
 */
import type { MarkdownIt, Token } from 'markdown-it';
import { MAX_BLOCK } from './limits';

export interface Block {
  /** `code` and `plain` are too long to be parsed as Markdown. */
  kind: 'markdown' | 'code' | 'plain';
  source: string;
}

/** The last block may still change its type, and may then merge with the block before. */
const OPEN_BLOCKS = 2;

export class BlockSplitter {
  readonly blocks: Block[] = [];
  /** Link references of all blocks, for markdown-it. */
  readonly env: Record<string, unknown> = {};
  readonly #md: MarkdownIt;
  #text = '';
  /** How many blocks are final, and where they end. */
  #final = 0;
  #finalEnd = 0;

  constructor(md: MarkdownIt) {
    this.#md = md;
  }

  /** Whether all of the text was split by the last `update`. */
  isWhole = true;

  /**
   * Splits the whole text. Cheap if it only grew since the last call: only the last blocks are looked at again. Once it
   * `isLate`, it stops where it is, and goes on there when it is called again.
   */
  update(text: string, isLate = () => false): readonly Block[] {
    if (!text.startsWith(this.#text)) this.#final = this.#finalEnd = 0;
    this.#text = text;
    this.blocks.length = this.#final;
    let position = this.#finalEnd;
    const ends: number[] = [];
    const push = (kind: Block['kind'], end: number): void => {
      this.blocks.push({ kind, source: text.slice(position, end) });
      ends.push((position = end));
    };
    while (position < text.length) {
      if (position > this.#finalEnd && isLate()) break;
      const begin = position;
      const window = text.slice(begin, windowEnd(text, begin));
      const whole = begin + window.length === text.length;
      const found = this.#split(window);
      // A block that the end of the window cuts through is parsed again from its own start.
      const complete = whole ? found : found.slice(0, -1);
      for (const end of complete) push('markdown', begin + end);
      if (complete.length > 0) continue;
      const fenceEnd = endOfFence(text, begin);
      if (fenceEnd === null) push('plain', begin + window.length);
      else push('code', fenceEnd);
    }
    this.isWhole = position === text.length;
    // Where it stopped early there is more text behind the last block.
    const final = Math.max(0, ends.length - (this.isWhole ? OPEN_BLOCKS : 0));
    if (final > 0) {
      this.#final += final;
      this.#finalEnd = ends[final - 1]!;
    }
    return this.blocks;
  }

  /** Where the top-level blocks of a text end. They cover the whole text. */
  #split(text: string): number[] {
    const tokens: Token[] = [];
    this.#md.block.parse(text, this.#md, this.env, tokens);
    const lines = lineStarts(text);
    const begins: number[] = [];
    for (const { level, map, nesting } of tokens) {
      if (level === 0 && map && nesting >= 0) begins.push(lines[map[0]] ?? text.length);
    }
    // Definitions and empty lines before the first block belong to it.
    return [...begins.slice(1), text.length];
  }
}

/** The end of the part that is parsed at once: the rest of the text, or as many whole lines as fit. */
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

/** Where the fenced code ends that begins at a position; null if none begins there. */
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
