import { describe, expect, it } from 'vitest';
import { parseCompletion } from '../../src/tasks/completion';
import { tasks } from '../../src/tasks';
import { rng } from '../../src/base/rng';

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
