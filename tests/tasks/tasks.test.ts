import { describe, expect, it } from 'vitest';
import { getTask, tasks } from '../../src/tasks';
import { rng } from '../../src/base/rng';
import { encode } from '../../src/tasks/vocabulary';

const SEEDS = 400;
const answerIn = (completion: string) => /<answer>(.*)<\/answer>$/.exec(completion)?.[1] ?? completion;

describe('registry', () => {
  it('finds a task by name', () => {
    expect(getTask('sum').title).toBe('Chain sums');
    expect(new Set(tasks.map((task) => task.name)).size).toBe(tasks.length);
  });

  it('names the tasks there are when asked for another', () => {
    expect(() => getTask('summ')).toThrow(
      "There is no task 'summ'. The tasks are: sum, mul, countdown, parity, word-problems.",
    );
  });
});

describe.each(tasks.map((task) => [task.name, task] as const))('%s', (_, task) => {
  const { min, max } = task.difficulty;
  const problems = Array.from({ length: SEEDS }, (_, seed) => {
    const difficulty = min + (seed % (max - min + 1));
    return { seed, difficulty, problem: task.generate(rng(seed, 1), difficulty) };
  });

  it('has a default difficulty in its range, and says what each setting means', () => {
    expect(task.difficulty.default).toBeGreaterThanOrEqual(min);
    expect(task.difficulty.default).toBeLessThanOrEqual(max);
    const descriptions = Array.from({ length: max - min + 1 }, (_, i) => task.difficulty.describe(min + i));
    expect(new Set(descriptions).size).toBe(descriptions.length);
  });

  it('repeats itself for the same seed and differs for others', () => {
    for (const { seed, difficulty, problem } of problems) {
      expect(task.generate(rng(seed, 1), difficulty)).toEqual(problem);
    }
    expect(new Set(problems.map(({ problem }) => problem.prompt)).size).toBeGreaterThan(SEEDS / 2);
  });

  it('writes prompts of at most 32 tokens that end in =', () => {
    for (const { problem } of problems) {
      expect(problem.prompt).toMatch(/=$/);
      expect(1 + encode(problem.prompt).length).toBeLessThanOrEqual(32);
    }
  });

  it('accepts its own answer and ends its steps on it', () => {
    for (const { problem } of problems) {
      expect(task.verify(problem, problem.answer)).toBe(true);
      const last = problem.steps.at(-1)!;
      expect([last.value, last.expression]).toContain(problem.answer);
    }
  });

  it('solves what a person types as it solves its own problems', () => {
    if (!task.solve) return;
    for (const { problem } of problems) expect(task.solve(problem.prompt)).toBe(problem.answer);
    for (const text of ['', 'hello', '=', '1+=', '1+2', 'parity =', '1+2=3', '1//2=', '1'.repeat(90) + '=']) {
      expect([text, task.solve(text)]).toEqual([text, null]);
    }
  });

  it('writes every style in its vocabulary, with an answer that verifies', () => {
    for (const { seed, problem } of problems) {
      for (const style of task.styles) {
        const completion = task.trace(rng(seed, 2), problem, style);
        expect(() => encode(completion)).not.toThrow();
        expect(task.verify(problem, answerIn(completion))).toBe(true);
        expect(completion.startsWith('<think>')).toBe(style !== 'bare');
        expect(completion.includes('wait')).toBe(style === 'check');
      }
    }
  });

  it('spells out no step, the last, or all of them', () => {
    for (const { seed, problem } of problems) {
      const steps = problem.steps.map(({ expression, value }) => `${expression}=${value}`);
      const wrapped = (think: string) => `<think>${think}</think><answer>${problem.answer}</answer>`;
      expect(task.trace(rng(seed), problem, 'bare')).toBe(problem.answer);
      expect(task.trace(rng(seed), problem, 'direct')).toBe(wrapped(''));
      expect(task.trace(rng(seed), problem, 'partial')).toBe(wrapped(steps.at(-1)!));
      expect(task.trace(rng(seed), problem, 'full')).toBe(wrapped(steps.join(';')));
    }
  });

  it.runIf(task.styles.includes('check'))('checks itself by one genuine slip and its correction', () => {
    for (const { seed, problem } of problems) {
      const completion = task.trace(rng(seed, 3), problem, 'check');
      const [, before, expression, wrong, again, right, after] =
        /^<think>(.*;)?([^;=]+)=(-?\d+) wait ([^;=]+)=(-?\d+)((?:;.*)?)<\/think>/.exec(completion)!;
      expect(again).toBe(expression);
      expect(wrong).not.toBe(right);
      const think = `${before ?? ''}${expression}=${right}${after}`;
      expect(think).toBe(problem.steps.map((step) => `${step.expression}=${step.value}`).join(';'));
    }
  });

  it('rejects anything else, however hostile, without throwing', () => {
    const hostile = [
      '',
      ' ',
      '-',
      'NaN',
      'Infinity',
      '1e3',
      '0x10',
      '__proto__',
      'process.exit()',
      '\0',
      '🦊',
      '٣',
      '<answer>',
    ];
    const huge = ['9'.repeat(1e6), '('.repeat(1e6), '1+'.repeat(1e6), '-'.repeat(1e6)];
    for (const { problem } of problems.slice(0, 50)) {
      const disguised = [` ${problem.answer}`, `${problem.answer} `, `0${problem.answer}`, `+${problem.answer}`];
      for (const answer of [...hostile, ...huge, ...disguised, `${problem.answer};${problem.answer}`]) {
        expect(task.verify(problem, answer), answer.slice(0, 40)).toBe(false);
      }
    }
  });
});

describe.each(['sum', 'mul', 'parity'])('%s, checked by independent arithmetic', (name) => {
  it('has right prompts, steps and answers', () => {
    const task = getTask(name);
    for (let seed = 0; seed < SEEDS; seed++) {
      const { prompt, answer, steps } = task.generate(rng(seed), task.difficulty.default);
      const expression = name === 'parity' ? `(${[...prompt.slice(7, -1)].join('+')})%2` : prompt.slice(0, -1);
      expect(/^[\d+*%()-]+$/.test(expression)).toBe(true);
      // Leading zeros never occur, so JavaScript reads the expression as written; the text is ours, not a model's.
      expect(String(Function(`return ${expression}`)())).toBe(answer);
      if (name === 'parity') continue;
      for (const step of steps) expect(String(Function(`return ${step.expression}`)())).toBe(step.value);
    }
  });

  it('rejects every neighbour of the answer', () => {
    const task = getTask(name);
    const problem = task.generate(rng(5), task.difficulty.default);
    for (let d = -20; d <= 20; d++) {
      expect(task.verify(problem, String(Number(problem.answer) + d))).toBe(d === 0);
    }
  });
});

describe('difficulty', () => {
  it('sum: the number of terms is uniform from 3 to the dial', () => {
    const counts = new Map<number, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const terms = getTask('sum').generate(rng(seed), 8).steps.length + 1;
      counts.set(terms, (counts.get(terms) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([3, 4, 5, 6, 7, 8]);
    // Binomial: standard deviation 29 around 1000.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('mul: factors stay in the range it names', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const [x, y] = getTask('mul').generate(rng(seed), 3).prompt.slice(0, -1).split('*').map(Number);
      for (const factor of [x!, y!]) expect(factor >= 11 && factor <= 39).toBe(true);
    }
  });

  it('countdown and parity: as many numbers or bits as the dial says', () => {
    expect(getTask('countdown').generate(rng(1), 4).prompt.split(' ').length).toBe(4);
    expect(getTask('parity').generate(rng(1), 23).prompt).toMatch(/^parity [01]{23}=$/);
  });
});

describe('countdown', () => {
  const countdown = getTask('countdown');
  const problem = { prompt: '3 7 12:33=', answer: '3*7+12', steps: [{ expression: '3*7+12', value: '33' }] };

  it('accepts any correct expression of exactly the given numbers', () => {
    for (const answer of ['3*7+12', '12+7*3', '(3*7)+12', '((12))+(7*3)']) {
      expect(countdown.verify(problem, answer), answer).toBe(true);
    }
    expect(countdown.verify({ ...problem, prompt: '2 3 4:20=' }, '(2+3)*4')).toBe(true);
    expect(countdown.verify({ ...problem, prompt: '2 3 4:20=' }, '2+3*4')).toBe(false);
  });

  it.each([
    ['the target itself', '33'],
    ['a number missing', '21+12'],
    ['a number twice', '3*7+12+3-3'],
    ['a number that was not given', '3*11'],
    ['digits glued together', '37-12+8'],
    ['a wrong value', '3+7+12'],
    ['an equation', '3*7+12=33'],
    ['division', '7/3*12'],
    ['a power', '3**7+12'],
    ['a leading zero', '03*7+12'],
    ['a sign', '+3*7+12'],
    ['an unclosed parenthesis', '(3*7+12'],
    ['an unopened parenthesis', '3*7+12)'],
    ['empty parentheses', '3*7+12()'],
    ['an operator at the end', '3*7+12+'],
  ])('rejects %s', (_, answer) => {
    expect(countdown.verify(problem, answer)).toBe(false);
  });

  it('searches through distinct wrong candidates before the one that works', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { prompt, steps } = countdown.generate(rng(seed), 3);
      const target = /:(\d+)=/.exec(prompt)![1];
      expect(steps.length).toBeLessThanOrEqual(5);
      expect(new Set(steps.map((step) => step.expression)).size).toBe(steps.length);
      expect(steps.findIndex((step) => step.value === target)).toBe(steps.length - 1);
      for (const { expression, value } of steps) expect(String(Function(`return ${expression}`)())).toBe(value);
    }
  });
});
