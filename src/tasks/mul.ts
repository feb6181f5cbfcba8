/** @file Two-digit multiplication by splitting the second factor into tens and units: three steps, the last one a sum. */
import { valueOf } from './expression';
import type { Task } from './task';
import { arithmeticSlip, writeTrace } from './trace';

const SMALLEST_FACTOR = 11;

export const mul: Task = {
  name: 'mul',
  title: 'Multiplication',
  description: 'Multiply two two-digit numbers, such as 47*36=.',
  difficulty: { min: 1, max: 9, default: 9, describe: (level) => `factors from ${SMALLEST_FACTOR} to ${level}9` },
  styles: ['bare', 'direct', 'partial', 'full', 'check'],

  generate(rng, difficulty) {
    const largest = 10 * difficulty + 9;
    const x = rng.int(SMALLEST_FACTOR, largest);
    const y = rng.int(SMALLEST_FACTOR, largest);
    const units = y % 10;
    const tens = y - units;
    const answer = String(x * y);
    return {
      prompt: `${x}*${y}=`,
      answer,
      steps: [
        { expression: `${x}*${tens}`, value: String(x * tens) },
        { expression: `${x}*${units}`, value: String(x * units) },
        { expression: `${x * tens}+${x * units}`, value: answer },
      ],
    };
  },

  verify: (problem, answer) => answer === problem.answer,
  solve: (prompt) => (/^\d+\*\d+=$/.test(prompt) ? valueOf(prompt.slice(0, -1)) : null),
  trace: (rng, problem, style) => writeTrace(rng, problem, style, arithmeticSlip),
};
