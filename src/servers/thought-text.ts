/**
 * @file Thoughts and answer as one text, `<think>…</think>` around the thoughts, whether a server sends them apart or
 * together. See src/ui/pages/chat/conversation/think.ts, which takes them apart again.
 */

const OPEN = '<think>\n';
const CLOSE = '\n</think>\n\n';

export class ThoughtText {
  /** `apart`: inside thoughts that the server sends apart. */
  #state: 'begin' | 'apart' | 'text';
  /** White space before anything else, which thoughts may still follow. */
  #held = '';
  readonly #opens: boolean;

  /**
   * @param prefix the beginning of the answer, to go on from
   * @param opens the model's template itself opens the thoughts, and the server sends them in the text
   */
  constructor(prefix = '', opens = false) {
    const open = /^\s*<think>/.test(prefix) && !prefix.includes('</think>');
    this.#state = open ? 'apart' : prefix === '' ? 'begin' : 'text';
    this.#opens = opens && prefix === '';
  }

  push(reasoning: string, content: string): string {
    return this.#thought(reasoning) + this.#text(content);
  }

  /** What is left when the answer has ended by itself: thoughts that nothing followed are closed. */
  end(): string {
    const rest = this.#state === 'apart' && this.#wrote ? CLOSE.trimEnd() : this.#state === 'begin' ? this.#held : '';
    this.#state = 'text';
    return rest;
  }

  /** Whether this stream sent thoughts apart: else those of the prefix go on inside the text. */
  #wrote = false;

  #thought(reasoning: string): string {
    if (reasoning === '') return '';
    this.#wrote = true;
    // After the answer has begun, thoughts are told as they come; a second block would hide what was said before it.
    if (this.#state !== 'begin') return reasoning;
    this.#state = 'apart';
    return OPEN + reasoning;
  }

  #text(content: string): string {
    if (content === '') return '';
    if (this.#state === 'text') return content;
    if (this.#state === 'apart') {
      this.#state = 'text';
      return this.#wrote ? CLOSE + content.trimStart() : content;
    }
    this.#held += content;
    if (this.#held.trim() === '') return '';
    // A tag that the model writes itself may come in pieces.
    if (this.#opens && '<think>'.startsWith(this.#held.trim()) && this.#held.trim() !== '<think>') return '';
    const text = this.#held;
    this.#held = '';
    this.#state = 'text';
    return this.#opens && !/^\s*<think>/.test(text) ? OPEN + text : text;
  }
}
