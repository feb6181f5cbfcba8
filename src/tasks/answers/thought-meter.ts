/** @file Measures the thoughts of a message while its tokens arrive. */
import { startsThinking, THINK_CLOSE } from '../answer';

export interface ThoughtSize {
  /** Tags included. */
  tokens: number;
  /** From the question to the end of the thoughts. */
  ms: number;
}

/** Counts tokens up to `</think>`, or all of them while thoughts that were opened go on. */
export class ThoughtMeter {
  #text = '';
  #tokens = 0;
  #size: ThoughtSize | null = null;
  #closed = false;

  /** @param ms since the question was asked */
  push(token: string, ms = 0): void {
    if (this.#closed) return;
    this.#text += token;
    this.#tokens++;
    // Without an opening tag, what came before counts as thoughts only once they end.
    const from = Math.max(0, this.#text.length - token.length - THINK_CLOSE.length);
    this.#closed = this.#text.indexOf(THINK_CLOSE, from) >= 0;
    if (this.#closed || startsThinking(this.#text)) this.#size = { tokens: this.#tokens, ms };
  }

  /** Null while there are no thoughts. */
  get size(): ThoughtSize | null {
    return this.#size;
  }
}
