/** @file Templates as Transformers renders them (goldens: tests/goldens/make_jinja.py), and what a hostile one can do. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Template, TemplateError } from '../../../src/formats/text/jinja/template';

interface Golden {
  messages: unknown[];
  variables: Record<string, unknown>;
  cases: { name: string; template: string; text?: string; error?: string }[];
}

const golden = JSON.parse(readFileSync(new URL('../../goldens/jinja.json', import.meta.url), 'utf8')) as Golden;
const render = (template: string, variables: Record<string, unknown> = {}) =>
  new Template(template).render({
    bos_token: '<s>',
    eos_token: '</s>',
    tools: null,
    documents: null,
    ...golden.variables,
    ...variables,
    messages: golden.messages,
    add_generation_prompt: true,
  });

describe('templates', () => {
  // The moment that the goldens were made for.
  beforeEach(() => void vi.useFakeTimers({ now: new Date(2026, 2, 5, 9, 7, 3), toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  it.each(golden.cases.filter(({ text }) => text !== undefined))('renders as Transformers does: $name', (each) => {
    expect(render(each.template)).toBe(each.text);
  });

  it.each(golden.cases.filter(({ error }) => error !== undefined))('refuses as Transformers does: $name', (each) => {
    expect(() => render(each.template)).toThrow(TemplateError);
  });

  it.each(
    golden.cases.filter(({ error }) => error !== undefined && !/unknown tag|end of template|expected '/.test(error)),
  )('gives the same reason: $name', ({ template, error }) => {
    expect(() => render(template)).toThrow(error);
  });
});

describe('hostile templates', () => {
  it.each([
    ['nested loops', '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}'],
    ['doubling', "{% set ns = namespace(t='ab') %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}"],
    ['replacing', `{{ 'aa'${".replace('a', 'aa')".repeat(40)} }}`],
    ['repeating', "{{ 'a' * 9999999999 }}"],
    ['padding', "{{ 'a'.ljust(999999999) }}{{ '%999999999d' % 1 }}{{ '{:>999999999}'.format(1) }}"],
    ['lists', '{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}'],
    ['recursion', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}'],
    [
      'two macros',
      '{% macro m(n) %}{% for i in range(9) %}{{ m(n + 1) if n < 9 }}{% endfor %}{% endmacro %}{{ m(0) }}',
    ],
    ['deep brackets', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`],
    ['deep tags', '{% if true %}'.repeat(100_000)],
    ['many nots', `{{ ${'not '.repeat(100_000)}1 }}`],
  ])('ends with a reason: %s', (_, template) => {
    expect(() => render(template)).toThrow(TemplateError);
  });

  it('finds no prototypes', () => {
    const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
    for (const name of names) {
      expect(render(`{{ ${name} is defined }}{{ table.${name} is defined }}{{ table['${name}'] is defined }}`)).toBe(
        'FalseFalseFalse',
      );
      expect(() => render(`{{ 1 | ${name} }}`)).toThrow(TemplateError);
      expect(() => render(`{{ 1 is ${name} }}`)).toThrow(TemplateError);
    }
  });
});
