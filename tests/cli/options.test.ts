/** @file Command-line options: what is read, defaults, and the message for each mistake. */
import { describe, expect, it } from 'vitest';
import { parseOptions, UsageError } from '../../src/cli/options';

const specs = {
  model: { type: 'string', required: true },
  out: { type: 'string', default: 'dist' },
  events: { type: 'string' },
  steps: { type: 'number', default: 160 },
  seed: { type: 'number' },
  greedy: { type: 'flag' },
} as const;
const parse = (...args: string[]) => parseOptions(args, specs);

describe('parseOptions', () => {
  it('reads values in both forms, numbers, and flags', () => {
    expect(
      parse('--model', 'a', '--out=b=c', '--steps', '-2.5e1', '--greedy', '--seed=7', '--events', 'x.jsonl'),
    ).toEqual({
      model: 'a',
      out: 'b=c',
      events: 'x.jsonl',
      steps: -25,
      seed: 7,
      greedy: true,
    });
  });

  it('fills in defaults, and leaves out what has none', () => {
    expect(parse('--model', 'a')).toEqual({
      model: 'a',
      out: 'dist',
      events: undefined,
      steps: 160,
      seed: undefined,
      greedy: false,
    });
  });

  it('takes the last of several values, and a value that looks like an option', () => {
    expect(parse('--model', 'a', '--model', '--out').model).toBe('--out');
  });

  it.each([
    [['--model'], '--model needs a value'],
    [[], '--model is missing'],
    [['--model', 'a', '--steps', 'many'], '--steps takes a number, not "many"'],
    [['--model', 'a', '--steps='], '--steps takes a number, not ""'],
    [['--model', 'a', 'stray'], 'unknown option stray'],
    [['--model', 'a', '-g'], 'unknown option -g'],
    [['--toString', 'a'], 'unknown option --toString'],
  ])('%j is a mistake', (args, message) => {
    expect(() => parseOptions(args, specs)).toThrow(UsageError);
    expect(() => parseOptions(args, specs)).toThrow(message);
  });

  it('names the options that there are', () => {
    expect(() => parse('--modle', 'a')).toThrow('--model, --out, --events, --steps, --seed, --greedy');
  });
});
