/** @file Added tokens, spaces and clean-up as Hugging Face's tokenizers have them (goldens: make_added_tokens.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TextTokenizer, TokenizerError } from '../../../src/formats/text/tokenizer';

interface Golden {
  name: string;
  tokenizer: { added_tokens: { id: number; content: string }[] };
  config: Record<string, unknown>;
  texts: { text: string; ids: number[]; decoded: string }[];
}

const goldens = JSON.parse(
  readFileSync(new URL('../../goldens/added_tokens.json', import.meta.url), 'utf8'),
) as Golden[];

describe.each(goldens)('$name', ({ tokenizer, config, texts }) => {
  const made = new TextTokenizer(tokenizer, config);

  it.each(texts)('encodes and decodes $text', ({ text, ids, decoded }) => {
    expect(made.encode(text)).toEqual(ids);
    expect(made.decode(ids)).toBe(decoded);
  });
});

describe('added tokens beyond the embedding', () => {
  const { tokenizer } = goldens[0]!;
  const last = Math.max(...tokenizer.added_tokens.map(({ id }) => id));
  const lost = tokenizer.added_tokens.find(({ id }) => id === last)!.content;

  it('are read as ordinary text, and named', () => {
    const whole = new TextTokenizer(tokenizer, {});
    const cut = new TextTokenizer(tokenizer, {}, undefined, { rows: last });
    expect([whole.leftOut, cut.leftOut]).toEqual([[], [lost]]);
    expect([whole.vocabularySize, cut.vocabularySize]).toEqual([last + 1, last]);
    expect(whole.encode(lost)).toEqual([last]);
    expect(Math.max(...cut.encode(lost))).toBeLessThan(last);
    expect(cut.decode(cut.encode(lost))).toBe(lost);
    expect([whole.tokenId(lost), cut.tokenId(lost)]).toEqual([last, null]);
  });

  it('may be listed in the vocabulary as well', () => {
    const { model } = tokenizer as unknown as { model: { vocab: Record<string, number> } };
    const older = { ...tokenizer, model: { ...model, vocab: { ...model.vocab, [lost]: last } } };
    expect(new TextTokenizer(older, {}, undefined, { rows: last }).vocabularySize).toBe(last);
  });

  it.each([[{ id: 1.5, content: 'x' }], [{ content: 'x' }], [{ id: 3 }], [null], ['x']])('refuses %j', (token) => {
    expect(() => new TextTokenizer({ ...tokenizer, added_tokens: [token] }, {})).toThrow(TokenizerError);
  });
});
