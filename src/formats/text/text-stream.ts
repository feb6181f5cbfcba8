/** @file Token ids to text as they come: a piece is given out as soon as its characters are whole. */
import type { TextTokenizer } from './tokenizer';

/** A character is at most four bytes, and a byte at most one token. */
const LONGEST_CHARACTER = 4;

export class TextStream {
  readonly #tokenizer: Pick<TextTokenizer, 'decode'>;
  #ids: number[] = [];
  /** Ids before this one are only context: how a token reads can depend on the one before it (SentencePiece's spaces). */
  #given = 0;

  constructor(tokenizer: Pick<TextTokenizer, 'decode'>) {
    this.#tokenizer = tokenizer;
  }

  /** The text that this id completes; empty while a character is still in pieces. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#new();
    const pending = this.#ids.length - this.#given;
    if (text.endsWith('\ufffd') && pending < LONGEST_CHARACTER) return '';
    this.#ids = this.#ids.slice(this.#given);
    this.#given = this.#ids.length;
    return text;
  }

  /** What is left when no more ids come: part of a character, as U+FFFD. */
  end(): string {
    return this.#given === this.#ids.length ? '' : this.#new();
  }

  #new(): string {
    const context = this.#tokenizer.decode(this.#ids.slice(0, this.#given));
    return this.#tokenizer.decode(this.#ids).slice(context.length);
  }
}
