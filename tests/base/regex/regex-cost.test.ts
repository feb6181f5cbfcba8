/** @file Patterns whose backtracking explodes are told from those of published tokenizers. */
import { describe, expect, it } from 'vitest';
import { regexCost } from '../../../src/base/regex/regex-cost';

/** As tokenizer.json files of the named families have them, after the tokenizers library has made them JavaScript's. */
const published = {
  gpt2: String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  llama3: String.raw`(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  o200k: String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'s|'t)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'s|'t)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  deepseek: String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  deepseekCoder: String.raw`\s?\p{L}+|\s?\p{P}+|[一-龥ࠀ-一가-퟿]+|\p{N}|\s+$`,
  bloom: String.raw` ?[^()|\s.,!?…。，、।۔،]+`,
  digitGroups: String.raw`\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))`,
  sentences: String.raw`(?: ?\p{L}+)+`,
  spaces: ' {2,}',
};

describe('regexCost', () => {
  it.each(Object.entries(published))('accepts the pattern of %s', (_, source) => {
    expect(regexCost(new RegExp(source, 'gu'))).toBe('linear');
  });

  it.each([
    '(a+)+$',
    '(a|a)*b',
    '(?:a|a){40}b',
    `${'(?:a|a)'.repeat(40)}b`,
    `${'a?'.repeat(40)}${'a'.repeat(40)}`,
    '(?:.*a){25}x',
    String.raw`(a+)+(?:(?=\n)|(?![\s\S]))`,
    String.raw`(\w|\d)+$`,
    '(?:a|ab|b)*c',
    '(x+x+)+y',
    String.raw`(\p{L}+)*\d`,
    '(a*)*b',
    '(?:a?a?)*b',
    '(?=(?:a+)+b)a',
    '(?!(?:a|aa)+c)a+',
    '(?<=(?:a|aa)+)c',
    '(?:(?:b+)+c|a)+',
    '(?:ab|a|b)*!',
    '(?:é|[à-ü])+!',
    '(?:[^"]|"")*"(?:x|.)*y',
    '([a-z]+.?)+@',
    String.raw`(?:x(?:a|\w)y)*z`,
  ])('finds that %s is exponential', (source) => {
    expect(regexCost(new RegExp(source, 'u'))).toBe('exponential');
  });

  it.each([
    String.raw`\w*\w*\w*\w*x`,
    'a{1,50}a{1,50}b',
    '(?:a?){40}a{40}!',
    'a+a+a+b',
    String.raw`\s*\s*\s*\n!`,
    String.raw`(?:\d+){3}!`,
  ])('finds that %s is polynomial', (source) => {
    expect(regexCost(new RegExp(source, 'u'))).toBe('polynomial');
  });

  it('judges a pattern that has to match a whole text by its end too', () => {
    const source = String.raw`(?:\.?\w+)+`;
    expect(regexCost(new RegExp(source, 'u'))).toBe('linear');
    expect(regexCost(new RegExp(source, 'u'), true)).toBe('exponential');
    expect(regexCost(/layers\.\d+\.self_attn\.[qkv]_proj/u, true)).toBe('linear');
  });

  it('does not judge what it does not take apart', () => {
    expect(regexCost(/(a*)\1b/u)).toBe('unknown');
    expect(regexCost(new RegExp(`${'ab'.repeat(300)}|c`, 'u'))).toBe('unknown');
    expect(regexCost(new RegExp(`${'('.repeat(100)}a${')'.repeat(100)}*`, 'u'))).toBe('unknown');
  });

  it('agrees with the clock: what it accepts is fast on long runs', () => {
    const runs = [' ', 'a', 'é', '1', '\n', '中', '!'].map((each) => each.repeat(3000));
    for (const source of Object.values(published)) {
      const started = performance.now();
      for (const run of runs) run.replace(new RegExp(source, 'gu'), '');
      expect(performance.now() - started).toBeLessThan(20_000);
    }
  });
});
