/** @file The text of sampled tokens, fast: each id is decoded once. */
import type { TextTokenizer } from '../formats/text/tokenizer';

export class TokenTexts {
  private readonly texts: string[] = [];

  constructor(private readonly tokenizer: TextTokenizer) {}

  one(id: number): string {
    return (this.texts[id] ??= this.tokenizer.tokenText(id));
  }

  each(ids: readonly number[]): string[] {
    return ids.map((id) => this.one(id));
  }

  /** The text of a sequence. Pieces are joined unless one is only a part of a character. */
  whole(ids: readonly number[]): string {
    const text = this.each(ids).join('');
    return text.includes('\ufffd') ? this.tokenizer.decode(ids) : text;
  }
}
