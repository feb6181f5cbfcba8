/** @file Reads tokens one after another. */
import type { Token } from './lexer';
import { TemplateError } from './values';

const END: Token = { kind: 'operator', text: 'end of template' };

export class TokenStream {
  #at = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  get current(): Token {
    return this.tokens[this.#at] ?? END;
  }

  get next(): Token {
    return this.tokens[this.#at + 1] ?? END;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.tokens.length;
  }

  take(): Token {
    const token = this.current;
    this.#at++;
    return token;
  }

  is(kind: Token['kind'], ...texts: string[]): boolean {
    return this.current.kind === kind && (texts.length === 0 || texts.includes(this.current.text));
  }

  /** Takes the token if it is this one. */
  skip(kind: Token['kind'], text: string): boolean {
    const found = this.is(kind, text);
    if (found) this.#at++;
    return found;
  }

  expect(kind: Token['kind'], text?: string): Token {
    if (!this.is(kind, ...(text === undefined ? [] : [text]))) {
      throw new TemplateError(
        `expected ${text === undefined ? `a ${kind}` : `'${text}'`}, found '${this.current.text}'`,
      );
    }
    return this.take();
  }
}
