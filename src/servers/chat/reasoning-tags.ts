/**
 * @file Puts `<think>…</think>` around what a server marks as reasoning, so that reasoning and answer are one text,
 * whether the server sends them in separate fields or together. Reasoning that comes after the answer has begun gets a
 * block of its own, in its place.
 */

const OPEN = '<think>\n';
const CLOSE = '\n</think>\n\n';
const CLOSING_TAG = '</think>';

export class ReasoningTags {
  /** `start`: nothing has been written; `reasoning`: inside a block that was opened here; `prefix`: inside the prefix's. */
  #state: 'start' | 'reasoning' | 'prefix' | 'text';
  /** White space before the answer, which reasoning may still follow; later, what may be the beginning of a tag. */
  #held = '';
  /** The answer's text has begun. */
  #answered: boolean;
  readonly #opens: boolean;

  /**
   * @param prefix the beginning of the answer, where the server continues one
   * @param opens the model's template opens the reasoning itself, and the server sends what follows as text
   */
  constructor(prefix = '', opens = false) {
    const isOpen = prefix.lastIndexOf('<think>') > prefix.lastIndexOf(CLOSING_TAG);
    this.#state = isOpen ? 'prefix' : prefix === '' ? 'start' : 'text';
    this.#answered = this.#state === 'text';
    this.#opens = opens && prefix === '';
  }

  /** @returns the text to show for a frame's reasoning and content */
  push(reasoning: string, content: string): string {
    return this.#reason(reasoning) + this.#answer(content);
  }

  /** What is left when the answer has ended by itself: a block that nothing followed is closed. */
  end(): string {
    const rest = this.#state === 'reasoning' ? this.#held + CLOSE.trimEnd() : this.#state === 'start' ? this.#held : '';
    this.#state = 'text';
    this.#held = '';
    return rest;
  }

  #reason(reasoning: string): string {
    if (reasoning === '') return '';
    let opening = '';
    if (this.#state === 'start' || this.#state === 'text') {
      opening = OPEN;
      this.#held = '';
    }
    // Inside a prefix's block the reasoning goes on; from here on, what closes it is written here too.
    this.#state = 'reasoning';
    const text = this.#held + reasoning;
    this.#held = beginningOfTag(text);
    return opening + withoutTags(text.slice(0, text.length - this.#held.length));
  }

  #answer(content: string): string {
    if (content === '') return '';
    if (this.#state === 'text') return content;
    // The prefix's block is closed by the model itself, in the text.
    if (this.#state === 'prefix') {
      this.#state = 'text';
      this.#answered = true;
      return content;
    }
    if (this.#state === 'reasoning') {
      const close = this.#held + CLOSE;
      this.#held = '';
      this.#state = 'text';
      const text = this.#answered ? content : content.trimStart();
      this.#answered = true;
      return close + text;
    }
    this.#held += content;
    if (this.#held.trim() === '') return '';
    // A tag that the model writes itself may come in pieces.
    if (this.#opens && '<think>'.startsWith(this.#held.trim()) && this.#held.trim() !== '<think>') return '';
    const text = this.#held;
    this.#held = '';
    this.#state = 'text';
    this.#answered = true;
    return this.#opens && !/^\s*<think>/.test(text) ? OPEN + text : text;
  }
}

/** The end of a text that may be the beginning of a closing tag. */
function beginningOfTag(text: string): string {
  for (let length = Math.min(CLOSING_TAG.length - 1, text.length); length > 0; length--) {
    if (CLOSING_TAG.startsWith(text.slice(-length))) return text.slice(-length);
  }
  return '';
}

/**
 * Reasoning in which no tag ends the block: only the server knows where its reasoning ends, and a model may well write
 * about the tag. The invisible word joiner keeps it readable.
 */
const withoutTags = (reasoning: string): string => reasoning.replaceAll(CLOSING_TAG, '<\u2060/think>');
