/** @file Chain sums: add and subtract two-digit terms from left to right. Guessing degrades with length; steps don't. */
import { valueOf } from './expression';
import type { Task } from './task';
import { arithmeticSlip, writeTrace } from './trace';

/** Share of plus signs; more plus than minus keeps most running totals positive. */
const PLUS_SHARE = 0.6;

export const sum: Task = {
  name: 'sum',
  title: 'Chain sums',
  description: 'Add and subtract a chain of numbers below 100, such as 12+7-30=.',
  difficulty: { min: 3, max: 10, default: 8, describe: (level) => (level > 3 ? `3 to ${level} terms` : '3 terms') },
  styles: ['bare', 'direct', 'partial', 'full', 'check'],

  generate(rng, difficulty) {
    const terms = rng.int(3, difficulty);
    let total = rng.int(0, 99);
    let prompt = String(total);
    const steps = [];
    for (let i = 1; i < terms; i++) {
      const sign = rng.next() < PLUS_SHARE ? 1 : -1;
      const operation = `${sign > 0 ? '+' : '-'}${rng.int(0, 99)}`;
      const next = total + Number(operation);
      prompt += operation;
      steps.push({ expression: `${total}${operation}`, value: String(next) });
      total = next;
    }
    return { prompt: `${prompt}=`, answer: String(total), steps };
  },

  verify: (problem, answer) => answer === problem.answer,
  solve: (prompt) => (/^[\d+-]+=$/.test(prompt) ? valueOf(prompt.slice(0, -1)) : null),
  trace: (rng, problem, style) => writeTrace(rng, problem, style, arithmeticSlip),
};
