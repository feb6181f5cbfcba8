import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import {
  finalAnswer,
  parseCompletion,
  sameAnswer,
  splitThought,
  unwrapAnswer,
  withoutThought,
} from '../../src/tasks/answer';
import { ThoughtMeter } from '../../src/tasks/answers/thought-meter';
import { tasks } from '../../src/tasks';
import { rng } from '../../src/base/rng';
import { separateThoughts } from '../../src/tasks/answers/thoughts';

describe('parseCompletion', () => {
  it('reads thought and answer', () => {
    expect(parseCompletion('<think>1+2=3;3+4=7</think><answer>7</answer>', 2)).toEqual({
      formatted: true,
      think: '1+2=3;3+4=7',
      answer: '7',
      style: 'full',
    });
  });

  it.each([
    ['', 'direct'],
    ['3+4=7', 'partial'],
    ['1+2=3;3+4=7', 'full'],
    ['1+2=3;3+4=7;7=7', 'full'],
    ['1+2=4 wait 1+2=3;3+4=7', 'check'],
    ['3+4=8 wait 3+4=7', 'check'],
    [';; ;', 'direct'],
  ])('calls a thought of two steps by its style: %j is %s', (think, style) => {
    expect(parseCompletion(`<think>${think}</think><answer>7</answer>`, 2).style).toBe(style);
  });

  it.each([
    ['nothing', '', null, null],
    ['a bare answer', '7', null, null],
    ['no answer', '<think>1+2=3</think>', '1+2=3', null],
    ['an open thought', '<think>1+2=3', '1+2=3', null],
    ['an open answer', '<think></think><answer>7', '', '7'],
    ['no thought', '<answer>7</answer>', null, '7'],
    ['text before', ' <think></think><answer>7</answer>', '', '7'],
    ['text between', '<think></think> <answer>7</answer>', '', '7'],
    ['text after', '<think></think><answer>7</answer>7', '', '7'],
    ['two answers', '<think></think><answer>7</answer><answer>8</answer>', '', '7'],
    ['an answer in the thought', '<think><answer>7</answer></think><answer>8</answer>', '<answer>7</answer>', '7'],
    ['a thought in a thought', '<think><think></think><answer>7</answer>', '<think>', '7'],
    ['padding in the answer', '<think></think><answer>7<pad></answer>', '', '7<pad>'],
    ['an end in the thought', '<think><eos></think><answer>7</answer>', '<eos>', '7'],
    ['tags in the wrong order', '<answer>7</answer><think></think>', '', '7'],
  ])('is unformatted with %s', (_, text, think, answer) => {
    expect(parseCompletion(text, 2)).toEqual({ formatted: false, think, answer, style: 'unformatted' });
  });

  it('recognises what the trace writers write', () => {
    for (const task of tasks) {
      for (let seed = 0; seed < 100; seed++) {
        const problem = task.generate(rng(seed), task.difficulty.default);
        for (const style of task.styles) {
          const parsed = parseCompletion(task.trace(rng(seed), problem, style), problem.steps.length);
          const onlyStep = style === 'partial' && problem.steps.length === 1;
          expect(parsed.style).toBe(style === 'bare' ? 'unformatted' : onlyStep ? 'full' : style);
        }
      }
    }
  });

  it('takes linear time on hostile text', () => {
    const started = performance.now();
    for (const text of ['<think>', '</think>', '<answer>', '<', ';']) parseCompletion(text.repeat(200_000), 2);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('finalAnswer', () => {
  it.each([
    ['<think>7 or 8?</think>It is $\\boxed{42}$.', '42'],
    ['so \\boxed{1} … no: \\boxed{\\frac{1}{2}}', '\\frac{1}{2}'],
    ['<think>x</think><answer> -12 </answer>', '-12'],
    ['The total is 1,234.50.', '1234.50'],
    ['<think>it must be 9</think>Thanks!', '9'],
    ['12 − no, 13', '13'],
    ['\\boxed{never closed', null],
    ['\\boxed{12}, so \\boxed{13', '12'],
    ['The probability is 5/8.', '5/8'],
    ['The probability is $\\frac{5}{8}$.', '\\frac{5}{8}'],
    ['Therefore x = −6.', '-6'],
    ['**Answer:** $-\\dfrac{3}{7}$', '-\\dfrac{3}{7}'],
    ['It grows to 2.5e3 units.', '2.5e3 units'],
    ['The total is 48 (see step 2).', '48'],
    ['The area is 36 cm^2.', '36 cm^2'],
    ['It is 2^{10} in all', '2^{10}'],
    ['The result is 12 + 7 = 19', '19'],
    ['It costs $5 and $7, so $12 in total', '12'],
    ['The answer is 42, because 6 times 7 is 42 and 3 is odd.', '42'],
    ['The answer is 6 × 7 = 42.', '42'],
    ['The answer is (B) since 3 is odd', 'B'],
    ['Answer: 2 and 9', '2 and 9'],
    ['72 in April\n#### 1,200', '1200'],
    ['### Step 4\nIt is 15%.', '15%'],
    ['We get y^2-4', 'y^2-4'],
    ['\\[\n 3 + 4 = 7\n\\]', '7'],
    ['roughly 2 1/4 cups', '2 1/4'],
    ['The roots are \\boxed{2} and \\boxed{9}.', '2, 9'],
    ['H2O has 3 atoms, as CO2 does', '3'],
    ['<answer>\\boxed{7}</answer>', '7'],
    ['nothing here', null],
    ['', null],
  ])('%s', (text, answer) => expect(finalAnswer(text)).toBe(answer));

  it('reads a megabyte of braces at once', () => {
    const start = performance.now();
    finalAnswer('\\boxed{'.repeat(150_000));
    finalAnswer('{'.repeat(1_000_000));
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('sameAnswer', () => {
  it.each([
    ['42', '42.0'],
    ['073', '73'],
    ['1,234', '1234'],
    ['-3/6', '-0.5'],
    ['\\frac{1}{2}', '0.5'],
    ['\\dfrac{3}{4}', '\\frac34'],
    ['-\\frac{7}{3}', '\\frac{-7}{3}'],
    ['$18', '18'],
    ['50\\%', '50'],
    ['x = 7', '7'],
    ['90^\\circ', '90'],
    ['\\left( 3, \\frac{\\pi}{2} \\right)', '(3,\\frac{\\pi}{2})'],
    ['(1.0, 2)', '(1, 2)'],
    ['\\text{(B)}', 'B'],
    ['−4', '-4'],
    ['2\\sqrt{ 3 }', '2\\sqrt{3}'],
    ['.5', '\\frac{1}{2}'],
  ])('%s is %s', (a, b) => {
    expect(sameAnswer(a, b)).toBe(true);
    expect(sameAnswer(b, a)).toBe(true);
  });

  it.each([
    ['42', '43'],
    ['0.333', '\\frac{1}{3}'],
    ['1/0', '2/0'],
    ['', ' . '],
    ['(1,2)', '(2,1)'],
    ['(1,2)', '[1,2]'],
    ['1,2', '12'],
    ['x+1', 'x-1'],
    ['9007199254740993', '9007199254740992'],
    ['3+4', '7'],
    ['(1,234)', '1 234'],
    ['36\\text{ km}', '36\\text{ m}'],
    ['A', 'B'],
  ])('%s is not %s', (a, b) => expect(sameAnswer(a, b)).toBe(false));

  it('is quick with what means harm', () => {
    const start = performance.now();
    for (const text of ['9'.repeat(1e6), '('.repeat(1e6), ',1'.repeat(200), '\\text{'.repeat(80), '1/'.repeat(200)]) {
      sameAnswer(text, '1');
      sameAnswer(text, text.slice(1));
    }
    expect(performance.now() - start).toBeLessThan(500);
  });
});

/** An answer, its reference, the verdict of Math-Verify and, where ours differs, why: see make_answers.py. */
interface Golden {
  manner: string;
  completion: string;
  reference: string;
  math_verify: boolean;
  ours?: boolean;
  why?: string;
}

const goldens = JSON.parse(readFileSync(new URL('../goldens/answers.json', import.meta.url), 'utf8')) as Golden[];

test.each(goldens)('$completion against $reference, in the manner of $manner', (golden) => {
  const answer = finalAnswer(golden.completion);
  expect(answer !== null && sameAnswer(answer, golden.reference)).toBe(golden.ours ?? golden.math_verify);
  if (golden.ours !== undefined) expect(golden.why).toBeTruthy();
});

interface SeparatedGolden {
  text: string;
  thoughts: string[];
  first: boolean;
  open: boolean;
  answer: string;
  final_answer: string | null;
}

const separated = JSON.parse(
  readFileSync(new URL('../goldens/thoughts.json', import.meta.url), 'utf8'),
) as SeparatedGolden[];

// tests/python/test_remote_thoughts.py reads the same cases.
test.each(separated)('thoughts and answer of $text', ({ text, final_answer, ...parts }) => {
  expect(separateThoughts(text)).toEqual(parts);
  expect(finalAnswer(text)).toBe(final_answer);
});

test('many tags and much code are read in linear time', () => {
  for (const text of ['`</think>`', '`<', '<think>\n', '</think>', '```\n', '<think>\n</think>']) {
    splitThought(text.repeat(100_000));
  }
});

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
    ['<think>a</think>\n<think>b</think>\nIt is 4.', { thought: 'a\n\nb', open: false, answer: 'It is 4.' }],
    ['<think>\na\n</think>\n\nb <think>\nc\n</think>\n\nd', { thought: 'a\n\nc', open: false, answer: 'b d' }],
    ['b <think>\nc\n</think>\n\nd', { thought: 'c', open: false, answer: 'b d' }],
    ['b <think>\nc', { thought: 'c', open: true, answer: 'b ' }],
    ['a\n</think>\n\nb\n<think>\nc\n</think>', { thought: 'a\n\nc', open: false, answer: 'b\n' }],
    ['The tag `</think>` ends it.', { thought: null, open: false, answer: 'The tag `</think>` ends it.' }],
    [
      '```\n<think>\n</think>\n```\nis code',
      { thought: null, open: false, answer: '```\n<think>\n</think>\n```\nis code' },
    ],
    ['<think>Is `</think>` it?</think>Yes', { thought: 'Is `</think>` it?', open: false, answer: 'Yes' }],
    ['<think>a `tick</think>b `c', { thought: 'a `tick', open: false, answer: 'b `c' }],
    ['<think>\n```\nx</think>\n```py\ny\n```', { thought: '```\nx', open: false, answer: '```py\ny\n```' }],
    ['<think>Is `</think>` it', { thought: 'Is `</think>` it', open: true, answer: '' }],
  ])('%j', (text, parts) => expect(splitThought(text)).toEqual(parts));
});

test.each([
  ['<think>a</think>\n\nb', 'b'],
  ['a</think>b', 'b'],
  ['<think>a</think>b</think>c', 'c'],
  ['<think>a', ''],
  ['b', 'b'],
  ['<think>\na\n</think>\n\nLet me check. <think>\nOr 5?\n</think>\n\nIt is four.', 'Let me check. It is four.'],
  ['It is 4.<think>\n Hm, 5?\n</think>', 'It is 4.'],
  ['Write `</think>` there.', 'Write `</think>` there.'],
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
