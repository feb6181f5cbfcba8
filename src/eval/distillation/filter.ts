/** @file Which of a teacher's answers a student learns from, and why the others are left out. */
import { t } from '../../i18n';
import { containsTag } from '../../tasks/answer';
import type { Answer } from '../evaluation';
import type { Slot } from '../evaluator';
import type { EvalProblem, ProblemSource } from '../problem-set';
import { readSolution, showsReasoning, type Solution } from './solution';

export type TeachingSource = Extract<ProblemSource, { kind: 'teaching' | 'lessons' }>;

/** Why an answer is left out. */
export type Refusal = 'wrong' | 'no answer' | 'cut off' | 'no reasoning' | 'stray tags' | 'repeated';

export const refusals: Readonly<Record<Refusal, string>> = {
  wrong: t('distil:refusals.wrong'),
  'no answer': t('distil:refusals.noAnswer'),
  'cut off': t('distil:refusals.cutOff'),
  'no reasoning': t('distil:refusals.noReasoning'),
  'stray tags': t('distil:refusals.strayTags'),
  repeated: t('distil:refusals.repeated'),
};

/** One of the teacher's answers, and whether it is kept. */
export interface FilteredAnswer extends Slot {
  solution: Solution | null;
  /** Null: kept. */
  refusal: Refusal | null;
}

/** Keeps answers that are right, complete, reasoned and new; in the order given. */
export function filterAnswers(
  source: TeachingSource,
  problems: readonly EvalProblem[],
  answers: readonly (Slot & Pick<Answer, 'text' | 'finished'>)[],
): FilteredAnswer[] {
  const seen = new Set<string>();
  return answers.map((answer) => {
    const { problem, sample } = answer;
    const solution = readOnce(answer, source.notation);
    const asked = problems[problem]!;
    let refusal = answer.finished ? refusalOf(asked, solution) : 'cut off';
    if (refusal === null) {
      const key = JSON.stringify([asked.prompt, solution]);
      if (seen.has(key)) refusal = 'repeated';
      seen.add(key);
    }
    return { problem, sample, solution, refusal };
  });
}

/** What answers were read as: a page filters all of them again with every new one. */
const known = { short: new WeakMap<object, Solution | null>(), free: new WeakMap<object, Solution | null>() };

function readOnce(answer: Pick<Answer, 'text'>, notation: TeachingSource['notation']): Solution | null {
  const before = known[notation].get(answer);
  if (before !== undefined) return before;
  const solution = readSolution(answer.text, notation === 'short');
  known[notation].set(answer, solution);
  return solution;
}

function refusalOf(problem: EvalProblem, solution: Solution | null): Refusal | null {
  if (solution === null) return 'no answer';
  if (!problem.isRight(solution.answer)) return 'wrong';
  if (!showsReasoning(solution)) return 'no reasoning';
  return containsTag(solution.reasoning) || containsTag(solution.answer) ? 'stray tags' : null;
}
