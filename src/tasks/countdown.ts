/**
 * @file Countdown: reach a target with given numbers, each used once. The steps are a search: wrong candidates, then
 * the one that works. A candidate tells little about the next, so here thinking longer need not pay.
 */
import { evaluate } from './expression';
import type { Rng } from '../base/rng';
import type { Task } from './task';
import { arithmeticSlip, writeTrace } from './trace';

const LARGEST_NUMBER = 20;
const LARGEST_TARGET = 99;
const OPERATORS = ['+', '-', '*'] as const;
/** How many wrong candidates a search tries; drawn uniformly from this list, fewer when a draw repeats or happens to work. */
const TRIES = [0, 1, 1, 2, 2, 3, 3, 4] as const;

export const countdown: Task = {
  name: 'countdown',
  title: 'Countdown',
  description: 'Combine all the given numbers with +, - and * to reach the target, such as 3 7 12:33=.',
  difficulty: { min: 2, max: 4, default: 3, describe: (level) => `${level} numbers` },
  // A wrong candidate is already a mistake found and left behind, so there is no separate `check` style.
  styles: ['bare', 'direct', 'partial', 'full'],

  generate(rng, difficulty) {
    let numbers: number[];
    let answer: string;
    let target: number;
    do {
      numbers = Array.from({ length: difficulty }, () => rng.int(1, LARGEST_NUMBER));
      answer = candidate(rng, numbers);
      target = valueOf(answer);
    } while (target < 0 || target > LARGEST_TARGET);

    const steps = [];
    const seen = new Set([answer]);
    for (let tries = rng.pick(TRIES); tries > 0; tries--) {
      const expression = candidate(rng, numbers);
      const value = valueOf(expression);
      if (seen.has(expression) || value === target) continue;
      seen.add(expression);
      steps.push({ expression, value: String(value) });
    }
    steps.push({ expression: answer, value: String(target) });
    return { prompt: `${numbers.join(' ')}:${target}=`, answer, steps };
  },

  /** Any expression that uses exactly the given numbers and reaches the target. */
  verify(problem, answer) {
    const result = evaluate(answer);
    if (!result) return false;
    const [numbers = '', target] = problem.prompt.slice(0, -1).split(':');
    return result.value === Number(target) && multiset(result.numbers) === multiset(numbers.split(' ').map(Number));
  },

  trace: (rng, problem, style) => writeTrace(rng, problem, style, arithmeticSlip),
};

/** The numbers in a random order with random operators between them. */
function candidate(rng: Rng, numbers: readonly number[]): string {
  return rng
    .shuffle(numbers)
    .map((number, i) => (i > 0 ? rng.pick(OPERATORS) : '') + number)
    .join('');
}

function valueOf(expression: string): number {
  return evaluate(expression)!.value;
}

function multiset(numbers: readonly number[]): string {
  return [...numbers].sort((a, b) => a - b).join(' ');
}
