/**
 * @file The vocabulary of the embedded models: one token per character, plus single tokens for the tags.
 * A tag takes one position, so the lengths on the page count what the model decides, not how a tag is spelt.
 */

export const SPECIAL_TOKENS = ['<pad>', '<bos>', '<eos>', '<think>', '</think>', '<answer>', '</answer>'] as const;
export const CHARACTERS = '0123456789+-*=();,.?: abcdefghijklmnopqrstuvwxyz';

/** Token texts by id: 55 of them. The model's embedding has 64 rows; ids 55 to 63 are spare and never trained on. */
export const VOCABULARY: readonly string[] = [...SPECIAL_TOKENS, ...CHARACTERS];
export const VOCABULARY_SIZE = 64;
export const PAD_ID = 0;
export const BOS_ID = 1;
export const EOS_ID = 2;

const idOf = new Map(VOCABULARY.map((token, id) => [token, id]));

/**
 * Token ids of a text in which special tokens are written out (`<think>`); adds none of its own.
 * @throws RangeError naming the first character that is not in the vocabulary.
 */
export function encode(text: string): number[] {
  const ids: number[] = [];
  for (let at = 0; at < text.length;) {
    const special = text[at] === '<' ? SPECIAL_TOKENS.find((token) => text.startsWith(token, at)) : undefined;
    const token = special ?? text[at]!;
    const id = idOf.get(token);
    if (id === undefined)
      throw new RangeError(`'${token}' at ${at} of ${JSON.stringify(text)} is not in the vocabulary`);
    ids.push(id);
    at += token.length;
  }
  return ids;
}

/** The text of token ids; a spare id reads as U+FFFD. */
export function decode(ids: Iterable<number>): string {
  return Array.from(ids, (id) => VOCABULARY[id] ?? '\ufffd').join('');
}
