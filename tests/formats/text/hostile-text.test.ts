/** @file Tokenizers and templates from outside: what would stop a thread for good is refused, and honest ones are not. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TextTokenizer, TokenizerError } from '../../../src/formats/text/tokenizer';

type Json = Record<string, unknown>;

const folder = new URL('../../../public/models/', import.meta.url);
const bare = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] as unknown },
};
const withModel = (model: Json) => ({ ...bare, model: { ...bare.model, ...model } });
const open = (json: unknown, template?: string) => new TextTokenizer(json, {}, template);
const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });

describe('a tokenizer.json', () => {
  const replace = (text: string, content: string) => ({ type: 'Replace', pattern: { String: text }, content });
  const doubling = Array.from({ length: 40 }, () => replace('a', 'aa'));
  const nested = (depth: number): Json =>
    depth === 0 ? { type: 'NFC' } : { type: 'Sequence', normalizers: [nested(depth - 1)] };

  it.each<[string, unknown, RegExp]>([
    ['an id of a billion', withModel({ vocab: { a: 0, b: 1e9 } }), /"b" the id 1000000000; ids are whole numbers/],
    ['a negative id', withModel({ vocab: { a: -1 } }), /"a" the id -1/],
    ['an id that is no whole number', withModel({ vocab: { a: 0.5 } }), /"a" the id 0.5/],
    ['an id that is text', withModel({ vocab: { a: '7' } }), /"a" the id "7"/],
    ['an added id of a billion', { ...bare, added_tokens: [{ id: 1e9, content: '<x>' }] }, /"<x>" the id 1000000000/],
    ['an added token without text', { ...bare, added_tokens: [{ id: 3 }] }, /token that is not text/],
    ['a token of 10,000 characters', withModel({ vocab: { ['a'.repeat(10_000)]: 0 } }), /token of 10000 characters/],
    ['no tokens', withModel({ vocab: {} }), /holds no tokens/],
    ['no model', { ...bare, model: null }, /has no model/],
    ['no merges', withModel({ merges: undefined }), /model.merges is missing/],
    ['merges that are no pairs', withModel({ merges: [['a', 'b'], ['a']] }), /merge 1 of model.merges/],
    ['merges that are no list', withModel({ merges: { length: 3 } }), /model.merges must be a list/],
    ['a pattern that explodes', { ...bare, pre_tokenizer: split('(a+)+$') }, /"\(a\+\)\+.*could run for hours/],
    ['one in a sequence', { ...bare, pre_tokenizer: { type: 'Sequence', pretokenizers: [split('(a|a)*b')] } }, /hours/],
    [
      'one in a normalizer',
      { ...bare, normalizer: { type: 'Replace', pattern: { Regex: '(x+x+)+y' }, content: '' } },
      /hours/,
    ],
    ['one in a decoder', { ...bare, decoder: { type: 'Replace', pattern: { Regex: '(x*)*y' }, content: '' } }, /hours/],
    ['40 doublings', { ...bare, normalizer: { type: 'Sequence', normalizers: doubling } }, /times as long; up to 64/],
    [
      'doublings by a pattern',
      {
        ...bare,
        normalizer: {
          type: 'Sequence',
          normalizers: Array.from({ length: 9 }, () => ({
            type: 'Replace',
            pattern: { Regex: '(?=a)' },
            content: 'a',
          })),
        },
      },
      /normalizer can make a text 512 times/,
    ],
    ['lists in lists', { ...bare, normalizer: nested(2000) }, /lists within lists in normalizer/],
    ['pieces of no length', { ...bare, pre_tokenizer: { type: 'FixedLength', length: 0 } }, /FixedLength must be/],
    [
      'words without an end',
      withModel({ type: 'WordPiece', max_input_chars_per_word: 1e9 }),
      /max_input_chars_per_word/,
    ],
    ['a type that is unknown', { ...bare, normalizer: { type: 'Nmt' } }, /Unknown Normalizer type: Nmt/],
  ])('with %s is refused in words', (_, json, message) => {
    expect(() => open(json)).toThrow(message);
    expect(() => open(json)).toThrow(TokenizerError);
  });

  it('is read where it is unusual and honest', () => {
    expect(open(withModel({ vocab: { a: 5, b: 90_000 } })).vocabularySize).toBe(90_001);
    const spaces = Array.from({ length: 9 }, () => ({ type: 'Replace', pattern: { Regex: ' {2,}' }, content: '▁' }));
    expect(open({ ...bare, normalizer: { type: 'Sequence', normalizers: spaces } }).encode('ab')).toEqual([0, 1]);
  });
});

describe('a chat template', () => {
  const render = (template: string, messages = [{ role: 'user', content: 'a b' }]) =>
    open(bare, template).applyChatTemplate(messages);
  const failure = (template: string): Error => {
    try {
      render(template);
    } catch (error) {
      return error as Error;
    }
    throw new Error('it was rendered');
  };
  const doubled = (what: string, times = 40) => `{% set x = 'ab' %}${`{% set x = ${what} %}`.repeat(times)}{{ x }}`;

  it.each<[string, string]>([
    ['loops in loops', `${'{% for i in range(1000) %}'.repeat(5)}x${'{% endfor %}'.repeat(5)}`],
    [
      'loops in loops over a text',
      `{% set l = 'a,a,a,a,a,a,a,a'.split(',') %}${'{% for i in l %}'.repeat(20)}${'{% endfor %}'.repeat(20)}`,
    ],
    ['a long range', '{% for i in range(90000000) %}{% endfor %}'],
    ['a range that never gets there', '{{ range(0, 10, 0.0000001) | length }}'],
    ['an endless range', '{{ range(10 ** 20) | length }}'],
    ['40 doubling replaces', doubled("x.replace('a', 'aa')")],
    ['40 doubling sums', doubled('x ~ x')],
    ['40 doubling lists', doubled('[x, x]')],
    ['40 doubling objects', doubled("{'p': x, 'q': x}")],
    ['40 doubling lists as JSON', doubled('[x, x]').replace('{{ x }}', '{{ x | tojson }}')],
    [
      'two towers of lists, compared',
      `{% set x = [] %}{% set y = [] %}${'{% set x = [x, x] %}{% set y = [y, y] %}'.repeat(40)}{{ x == y }}`,
    ],
    ['40 doubling joins', doubled('[x, x] | join')],
    [
      'namespaces in namespaces',
      `{% set n = namespace(x=1) %}{% set first = n %}${'{% set m = namespace(x=1) %}{% set n.x = [m, m] %}{% set n = m %}'.repeat(40)}{{ first | string }}`,
    ],
    ['a macro that calls itself twice', '{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}'],
    [
      'a macro that doubles',
      '{% macro f(n) %}{% if n < 60 %}{{ f(n + 1) }}{{ f(n + 1) }}{% endif %}{% endmacro %}{{ f(0) }}',
    ],
    ['a namespace in itself', '{% set n = namespace(x=1) %}{% set n.x = [n] %}{{ n | string }}{{ n.x }}'],
  ])(
    'with %s ends with words',
    (_, template) => {
      const started = performance.now();
      const error = failure(template);
      expect(error).toBeInstanceOf(TokenizerError);
      expect(error.message).not.toMatch(/undefined|stack|Invalid|properties/);
      // A thread that was stopped for good would take years.
      expect(performance.now() - started).toBeLessThan(30_000);
    },
    60_000,
  );

  it.each<[string, string]>([
    ['a tower of brackets', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`],
    ['a text of megabytes', `{{ 1 }}${' '.repeat(1 << 20)}`],
    ['a wrong type', "{{ messages[0]['content'].split(1, 2, 3).x.y.z }}"],
    ['no end', '{% for m in messages %}'],
  ])('with %s fails in words', (_, template) => {
    expect(() => render(template)).toThrow(TokenizerError);
    expect(() => render(template)).not.toThrow(/call stack|of undefined|not a function/);
  });

  it('says what it raises itself', () => {
    expect(() => render("{{ raise_exception('Roles must alternate.') }}")).toThrow(/Roles must alternate\./);
  });

  it('renders long conversations, loops and slices', () => {
    const template = `{%- set ns = namespace(last=0) %}{% for m in messages[::-1] %}{% if m.role == 'user' and not ns.last %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{%- for m in messages %}<|{{ m.role }}|>{% if '</think>' in m.content %}{{ m.content.split('</think>')[-1].strip() }}{% else %}{{ m.content | trim }}{% endif %}<|end|>
{% endfor %}`;
    const messages = Array.from({ length: 3000 }, (_, i) => ({
      role: i % 2 ? 'assistant' : 'user',
      content: `${'word '.repeat(200)}${i}`,
    }));
    const text = render(template, messages);
    expect(text.startsWith('<|user|>word word')).toBe(true);
    expect(text.match(/<\|end\|>\n/g)).toHaveLength(3000);
    expect(render('{% for i in range(3) %}{{ i }}{% endfor %}')).toBe('012');
    expect(render('{{ range(5, 0, -2) | join(",") }}')).toBe('5,3,1');
  });

  it('dates as Transformers does', () => {
    expect(render("{{ strftime_now('%d %b %Y') }}")).toMatch(
      /^\d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}$/,
    );
  });
});

it('the embedded model is read', () => {
  const text = readFileSync(new URL('tinythink-1m/tokenizer.json', folder), 'utf8');
  expect(() => open(JSON.parse(text))).not.toThrow();
});
