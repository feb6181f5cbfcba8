/**
 * @file Thoughts and answer. An answer thinks when it begins with `<think>`, or when a `</think>` comes without an
 * opening tag: R1's template ends inside the think block, and then everything before the closing tag is thought. Whether
 * an answer that streams has begun inside is known only to who renders the template, so a policy gives the template's
 * own `<think>` with its first token. Should it not, the text counts as an answer until the closing tag comes.
 */

const OPEN = '<think>';
const CLOSE = '</think>';
const OPENING = /^\s*<think>/;

export interface ThoughtParts {
  /** Null when the answer doesn't think. */
  thought: string | null;
  /** The thought goes on, or was never closed. */
  open: boolean;
  answer: string;
}

export function splitThought(text: string): ThoughtParts {
  const opening = OPENING.exec(text);
  const begin = opening ? opening[0].length : 0;
  const end = text.indexOf(CLOSE, begin);
  if (end >= 0) {
    return { thought: text.slice(begin, end).trim(), open: false, answer: text.slice(end + CLOSE.length).trimStart() };
  }
  if (opening) return { thought: text.slice(begin).trimStart(), open: true, answer: '' };
  // While the tag itself comes in, nothing of it flashes up as an answer.
  if (text.length < OPEN.length + 2 && text.trim() !== '' && OPEN.startsWith(text.trim())) {
    return { thought: '', open: true, answer: '' };
  }
  return { thought: null, open: false, answer: text };
}

/** What of an answer later turns are told: only what follows the last closing tag, as the models' templates have it. */
export function withoutThought(text: string): string {
  const end = text.lastIndexOf(CLOSE);
  if (end >= 0) return text.slice(end + CLOSE.length).trimStart();
  return OPENING.test(text) ? '' : text;
}

/** An answer without the `<answer>…</answer>` around it that the toy models and R1-Zero write. */
export function unwrapAnswer(text: string): { text: string; wrapped: boolean } {
  const match = /^\s*<answer>([^]*?)(?:<\/answer>\s*(?:<eos>)?\s*)?$/.exec(text);
  return match ? { text: match[1]!, wrapped: true } : { text, wrapped: false };
}

export interface ThoughtSize {
  /** Tags included. */
  tokens: number;
  /** From the question to the end of the thought. */
  ms: number;
}

/** Measures a thought while its tokens arrive. */
export class ThoughtMeter {
  #text = '';
  #tokens = 0;
  #size: ThoughtSize | null = null;
  #closed = false;

  /** @param ms since the question was asked */
  push(token: string, ms: number): void {
    if (this.#closed) return;
    this.#text += token;
    this.#tokens++;
    // Without an opening tag it is a thought only once it ends.
    this.#closed = this.#text.indexOf(CLOSE, Math.max(0, this.#text.length - token.length - CLOSE.length)) >= 0;
    if (this.#closed || OPENING.test(this.#text)) this.#size = { tokens: this.#tokens, ms };
  }

  /** Null while there is no thought. */
  get size(): ThoughtSize | null {
    return this.#size;
  }
}

/** "4 s", "1 min 12 s", "0.3 s". */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  return `${minutes} min ${Math.round(seconds) % 60} s`;
}
