import { describe, expect, it } from 'vitest';
import { parseChatCompletion } from '../../src/tasks/answer';
import { defaultRewards, scoreCompletion } from '../../src/rl/rewards';
import { tasks } from '../../src/tasks';
import { rng } from '../../src/base/rng';
import { wordProblems } from '../../src/tasks/word-problems';

const problems = Array.from({ length: 600 }, (_, seed) => {
  const difficulty = 2 + (seed % 3);
  return { difficulty, problem: wordProblems.generate(rng(seed), difficulty), seed };
});

it('is no task of the page', () => expect(tasks).not.toContain(wordProblems));

it('tells stories of two steps to as many as asked for, whose steps come to the answer', () => {
  for (const { problem, difficulty, seed } of problems) {
    expect(problem.steps.length).toBeGreaterThanOrEqual(2);
    expect(problem.steps.length).toBeLessThanOrEqual(difficulty);
    let total: number | null = null;
    for (const { expression, value } of problem.steps) {
      const [, a, operator, b] = /^(\d+)([-+*/])(\d+)$/.exec(expression)!;
      const [x, y] = [Number(a), Number(b)];
      if (total !== null) expect(x).toBe(total);
      total = { '+': x + y, '-': x - y, '*': x * y, '/': x / y }[operator as '+']!;
      expect(String(total)).toBe(value);
      expect(total).toBeGreaterThan(0);
      // What a step needs is told, but for what the step before gave; one third of a thing says 3.
      expect(problem.prompt).toContain(b);
    }
    expect(problem.answer).toBe(String(total));
    expect(problem.prompt.endsWith('?')).toBe(true);
    expect(wordProblems.generate(rng(seed), difficulty)).toEqual(problem);
  }
  expect(new Set(problems.map(({ problem }) => problem.prompt)).size).toBeGreaterThan(590);
  expect(new Set(problems.map(({ problem }) => problem.steps.length)).size).toBe(3);
});

it('takes a number however it is written, and only one', () => {
  const problem = { prompt: '', answer: '1234', steps: [] };
  for (const right of ['1234', ' 1,234 ', '$1234.00', '1234 dollars.']) {
    expect(wordProblems.verify(problem, right), right).toBe(true);
  }
  for (const wrong of ['', '12345', '-1234', '1234 or 1235', '12,34', 'x', '1234'.repeat(100)]) {
    expect(wordProblems.verify(problem, wrong), wrong).toBe(false);
  }
});

describe('an answer in a chat', () => {
  const score = (text: string, truncated = false) => {
    const problem = { prompt: '', answer: '42', steps: [{ expression: '6*7', value: '42' }] };
    const completion = { task: wordProblems, problem, text, length: 9, truncated, max_completion_length: 20 };
    const { rewards } = scoreCompletion(completion, defaultRewards);
    return [rewards.accuracy, rewards.format];
  };

  it.each([
    ['<think>6*7</think>\n<answer>42</answer>\n', [1, 1]],
    ['so 6*7\n</think>\n\n<answer> 42 </answer>', [1, 1]],
    ['<think>6*7</think> It is <answer>42</answer>', [1, 0]],
    ['<think>6*7</think> It is \\boxed{42}.', [1, 0]],
    ['It is 42', [0, 0]],
    ['<think>It is <answer>42</answer>', [1, 0]],
    ['<think>6*7</think><answer>41</answer>', [0, 1]],
    ['<think>6*7</think><answer>42', [0, 0]],
  ])('%j', (text, expected) => expect(score(text)).toEqual(expected));

  it('has its format only where the model ended it', () => {
    expect(score('<think>6*7</think><answer>42</answer>', true)).toEqual([1, 0]);
  });

  it('parses hostile text in linear time', () => {
    const start = performance.now();
    parseChatCompletion('<think>'.repeat(1e5) + '<answer>'.repeat(1e5) + '\\boxed{'.repeat(1e5));
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
