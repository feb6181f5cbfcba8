/** @file Measures the thoughts of a message while its tokens arrive. */
import { startsThinking, THINK_CLOSE } from '../answer';

export interface ThoughtSize {
  /** Tags included. */
  tokens: number;
  /** From the question to the end of the thoughts. */
  ms: number;
}

/** Characters, white space included, in which thoughts must begin. */
const BEGINNING = 1000;

/** Counts tokens up to `</think>`, or all of them while thoughts that were opened go on. */
export class ThoughtMeter {
  /** The end of the text, in which a tag may have begun: looking at all of it for each token would take ever longer. */
  #end = '';
  #begin = '';
  #opened = false;
  #tokens = 0;
  #size: ThoughtSize | null = null;
  #closed = false;

  /** @param ms since the question was asked */
  push(token: string, ms = 0): void {
    if (this.#closed) return;
    this.#tokens++;
    if (!this.#opened && this.#begin.length < BEGINNING) {
      this.#begin += token;
      this.#opened = startsThinking(this.#begin);
    }
    // Without an opening tag, what came before counts as thoughts only once they end.
    const text = this.#end + token;
    this.#closed = text.includes(THINK_CLOSE);
    this.#end = text.slice(-THINK_CLOSE.length);
    if (this.#closed || this.#opened) this.#size = { tokens: this.#tokens, ms };
  }

  /** Null while there are no thoughts. */
  get size(): ThoughtSize | null {
    return this.#size;
  }
}
