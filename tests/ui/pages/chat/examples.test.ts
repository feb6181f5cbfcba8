import { describe, expect, test } from 'vitest';
import { rng } from '../../../../src/base/rng';
import { checkAnswer, examples } from '../../../../src/ui/pages/chat/examples';

describe('examples', () => {
  test('there is one of each task, the same for the same draw, and its own traces are correct', () => {
    for (let draw = 0; draw < 20; draw++) {
      const drawn = examples(draw);
      expect(drawn.map(({ problem }) => problem.prompt)).toEqual(examples(draw).map(({ problem }) => problem.prompt));
      for (const example of drawn) {
        const { task, problem } = example;
        const trace = task.trace(rng(draw), problem, 'full');
        expect(checkAnswer(example, `${trace}<eos>`)).toEqual({
          correct: true,
          formatted: true,
          answer: problem.answer,
        });
        expect(checkAnswer(example, problem.answer)).toMatchObject({ correct: false, formatted: false });
        expect(checkAnswer(example, trace.replace('</answer>', '')).correct).toBe(false);
      }
    }
    expect(examples(1)[0]!.problem.prompt).not.toBe(examples(2)[0]!.problem.prompt);
  });
});
