import { describe, expect, test } from 'vitest';
import {
  formatDuration,
  splitThought,
  ThoughtMeter,
  unwrapAnswer,
  withoutThought,
} from '../../../../src/ui/pages/chat/conversation/think';

describe('splitThought', () => {
  test.each([
    ['<think>\nhm\n</think>\n\n42', { thought: 'hm', open: false, answer: '42' }],
    ['\n <think>hm', { thought: 'hm', open: true, answer: '' }],
    ['hm\n</think>\n42', { thought: 'hm', open: false, answer: '42' }],
    ['<think></think>42', { thought: '', open: false, answer: '42' }],
    ['42', { thought: null, open: false, answer: '42' }],
    ['', { thought: null, open: false, answer: '' }],
    ['The tag <think> opens', { thought: null, open: false, answer: 'The tag <think> opens' }],
    ['<think>a</think>b</think>c', { thought: 'a', open: false, answer: 'b</think>c' }],
    ['<thi', { thought: '', open: true, answer: '' }],
    ['<thing', { thought: null, open: false, answer: '<thing' }],
  ])('%j', (text, parts) => expect(splitThought(text)).toEqual(parts));
});

test.each([
  ['<think>a</think>\n\nb', 'b'],
  ['a</think>b', 'b'],
  ['<think>a</think>b</think>c', 'c'],
  ['<think>a', ''],
  ['b', 'b'],
])('of %j later turns are told %j', (text, rest) => expect(withoutThought(text)).toBe(rest));

test('an answer is taken out of its tags, closed or not', () => {
  expect(unwrapAnswer('<answer>42</answer><eos>')).toEqual({ text: '42', wrapped: true });
  expect(unwrapAnswer('<answer>4')).toEqual({ text: '4', wrapped: true });
  expect(unwrapAnswer('so <answer>42</answer>').wrapped).toBe(false);
});

describe('ThoughtMeter', () => {
  const measure = (tokens: string[]) => {
    const meter = new ThoughtMeter();
    tokens.forEach((token, i) => meter.push(token, 10 * (i + 1)));
    return meter.size;
  };
  test('counts up to the closing tag, however it is cut into tokens', () => {
    expect(measure(['<think>', 'a', 'b', '</think>', 'c'])).toEqual({ tokens: 4, ms: 40 });
    expect(measure(['<th', 'ink>', 'a', '</', 'thi', 'nk>', 'c'])).toEqual({ tokens: 6, ms: 60 });
  });
  test('needs no opening tag, and goes on while there is no closing one', () => {
    expect(measure(['a', '</think>', 'c'])).toEqual({ tokens: 2, ms: 20 });
    expect(measure(['<think>', 'a'])).toEqual({ tokens: 2, ms: 20 });
    expect(measure(['a', 'b'])).toBeNull();
  });
});

test.each([
  [300, '0.3 s'],
  [9940, '9.9 s'],
  [12_300, '12 s'],
  [72_000, '1 min 12 s'],
  [119_900, '2 min 0 s'],
])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
