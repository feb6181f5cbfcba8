/**
 * @file Finds added tokens (`<think>`, `<|im_end|>`) in a text as Rust's tokenizers do: the leftmost and longest first,
 * words of their own where a token asks for that, and with the space around them where it takes that along.
 */

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** Found in the normalised text instead of the text as it is. */
  normalized: boolean;
  /** Stands only where no letter, digit or `_` touches it. */
  single_word: boolean;
  /** Takes the space before it along. */
  lstrip: boolean;
  /** Takes the space behind it along. */
  rstrip: boolean;
}

interface Node {
  next: Map<string, Node>;
  token: AddedToken | null;
}

// Rust's \w and \s. JavaScript's know only ASCII words, and count U+FEFF as space and U+0085 as none.
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]';
const wordBefore = new RegExp(`${WORD}$`, 'u');
const wordBehind = new RegExp(`^${WORD}`, 'u');
const isSpace = /^\p{White_Space}$/u;

export class AddedTokenSplitter {
  readonly #root: Node = { next: new Map(), token: null };

  /** @param tokens by the text under which each is found */
  constructor(tokens: Iterable<readonly [text: string, token: AddedToken]>) {
    for (const [text, token] of tokens) {
      // A token without a text would be found everywhere.
      if (text === '') continue;
      let node = this.#root;
      for (let i = 0; i < text.length; i++) {
        let next = node.next.get(text[i]!);
        if (!next) node.next.set(text[i]!, (next = { next: new Map(), token: null }));
        node = next;
      }
      node.token = token;
    }
  }

  /** The text in pieces: each is a token's content, or what lies between two of them. Stripped spaces are left out. */
  split(text: string): string[] {
    const pieces: string[] = [];
    let rest = 0;
    for (let at = 0; at < text.length;) {
      const found = this.#longestAt(text, at);
      if (!found) {
        at++;
        continue;
      }
      const { token, length } = found;
      let end = at + length;
      if (token.single_word && touchesWord(text, at, end)) {
        at = end;
        continue;
      }
      let begin = at;
      if (token.lstrip) while (begin > rest && isSpace.test(text[begin - 1]!)) begin--;
      if (token.rstrip) while (end < text.length && isSpace.test(text[end]!)) end++;
      if (begin > rest) pieces.push(text.slice(rest, begin));
      pieces.push(token.content);
      rest = at = end;
    }
    if (rest < text.length) pieces.push(text.slice(rest));
    return pieces;
  }

  #longestAt(text: string, at: number): { token: AddedToken; length: number } | null {
    let found = null;
    let node: Node | undefined = this.#root;
    for (let i = at; i < text.length && (node = node.next.get(text[i]!)); i++) {
      if (node.token) found = { token: node.token, length: i + 1 - at };
    }
    return found;
  }
}

/** Two code units hold any character. */
const touchesWord = (text: string, begin: number, end: number) =>
  wordBefore.test(characters(text.slice(Math.max(0, begin - 2), begin)).at(-1) ?? '') ||
  wordBehind.test(characters(text.slice(end, end + 2))[0] ?? '');

const characters = (text: string) => Array.from(text);
