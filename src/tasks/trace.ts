/** @file Writes a worked solution in one of the answer styles. All tasks share it; they differ in what a slip looks like. */
import type { Rng } from '../base/rng';
import type { Problem, TraceStyle } from './task';

/**
 * A completion in a style, tags included, without end-of-sequence token.
 * @param slip a wrong value for a step, used by `check`: that step is written wrong, then `wait`, then written right.
 */
export function writeTrace(
  rng: Rng,
  problem: Problem,
  style: TraceStyle,
  slip: (rng: Rng, value: string) => string,
): string {
  const { steps, answer } = problem;
  const lines = steps.map(({ expression, value }) => `${expression}=${value}`);
  switch (style) {
    case 'bare':
      return answer;
    case 'direct':
      return wrap('', answer);
    case 'partial':
      return wrap(lines.at(-1) ?? '', answer);
    case 'full':
      return wrap(lines.join(';'), answer);
    case 'check': {
      const at = rng.int(0, steps.length - 1);
      const { expression, value } = steps[at]!;
      lines[at] = `${expression}=${slip(rng, value)} wait ${lines[at]}`;
      return wrap(lines.join(';'), answer);
    }
  }
}

/** A slip in arithmetic: off by a little, or by a ten. */
export function arithmeticSlip(rng: Rng, value: string): string {
  return String(Number(value) + rng.pick([-10, -2, -1, 1, 2, 10]));
}

function wrap(think: string, answer: string): string {
  return `<think>${think}</think><answer>${answer}</answer>`;
}
