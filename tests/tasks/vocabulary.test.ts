import { describe, expect, it } from 'vitest';
import { CHARACTERS, decode, encode, VOCABULARY, VOCABULARY_SIZE } from '../../src/tasks/vocabulary';

describe('vocabulary', () => {
  it('fits the embedding and has no duplicates', () => {
    expect(VOCABULARY.length).toBe(55);
    expect(VOCABULARY.length).toBeLessThanOrEqual(VOCABULARY_SIZE);
    expect(new Set(VOCABULARY).size).toBe(VOCABULARY.length);
  });

  it('takes one token for a tag and one for a character', () => {
    expect(encode('<bos>0a<eos>')).toEqual([1, 7, 29, 2]);
    expect(encode('<think></think><answer></answer><pad>')).toEqual([3, 4, 5, 6, 0]);
  });

  it('decodes what it encoded', () => {
    const text = `<bos>${CHARACTERS}<think></think>`;
    expect(decode(encode(text))).toBe(text);
    expect(decode([55, 63, -1, 1e9])).toBe('\ufffd'.repeat(4));
  });

  it.each(['A', '<', '<thinK>', '\n', '/'])('names what it cannot write: %j', (text) => {
    expect(() => encode(`12${text}`)).toThrow(/at 2 of .* is not in the vocabulary/);
  });
});
