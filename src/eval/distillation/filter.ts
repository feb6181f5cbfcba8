/** @file Which of a teacher's answers a student learns from, and why the others are left out. */
import { t } from '../../i18n';
import { containsTag } from '../../tasks/answer';
import type { Answer } from '../evaluation';
import type { Slot } from '../evaluator';
import type { EvalProblem, ProblemSource } from '../problem-set';
import { readSolution, type Solution } from './solution';

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
  if (!showsReasoning(solution, problem.prompt)) return 'no reasoning';
  return containsTag(solution.reasoning) || containsTag(solution.answer) ? 'stray tags' : null;
}

const UNITS = 'two three four five six seven eight nine'.split(' ');
const TEENS = 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ');
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
/** Numbers in words. “One” is left out: it is rarely part of a calculation. */
const NUMBER_WORDS: ReadonlyMap<string, number> = new Map([
  ...UNITS.map((word, i) => [word, i + 2] as const),
  ...TEENS.map((word, i) => [word, i + 10] as const),
  ...TENS.flatMap((tens, i) =>
    ['', 'one', ...UNITS].map((unit, j) => [unit ? `${tens}-${unit}` : tens, 10 * (i + 2) + j] as const),
  ),
  ...Object.entries({ half: 0.5, double: 2, twice: 2, triple: 3, dozen: 12, hundred: 100, thousand: 1000 }),
]);
const WORDS = new RegExp(`\\b(?:(?:${TENS.join('|')})-(?:one|${UNITS.join('|')})|[a-z]+)\\b`, 'g');

/** Numbers that count things in the text rather than being calculated with: of a list, or as in “Step 2” and “100% sure”. */
const LABELS =
  /^[ \t>*#-]{0,8}\(?\d{1,2}[.):](?=\s)|\b(?:step|problem|question|answer|example|option|part) {0,2}#?\d{1,2}\b(?! ?[-+*/=])|\b\d{1,3} ?%(?= (?:sure|certain|confident))/gim;

/**
 * Whether the reasoning shows a step towards the answer: a calculation with its result, such as `3+4=7`, or a number that
 * is not the answer. The problem itself, copied, is no step. So an answer alone is a guess, whether it is tagged or not,
 * repeated in the think block, in a phrase such as “The answer is 23”, or behind the problem as in `20+1+2=23`.
 * The page states this rule as `distil:reasoningRule`.
 * @param prompt the problem; without it, copies of the problem aren't told from steps
 */
export function showsReasoning({ reasoning, answer }: Solution, prompt = ''): boolean {
  const said = plainNotation(answer);
  let rest = plainNotation(reasoning.replace(LABELS, ' '));
  // With the mark behind it, so that no equation is left of a copy such as `20+1+2=23`.
  const problem = plainNotation(prompt).replace(/[=?:]+$/, '');
  if (problem !== '') rest = rest.replaceAll(`${problem}=`, ' ').replaceAll(problem, ' ');
  if (/\d\)?=[-(]?\d/.test(rest)) return true;
  // An answer that is an expression, such as Countdown's, has numbers of its own.
  if (/\d\D+\d/.test(said)) rest = rest.replaceAll(said, ' ');
  const value = Math.abs(valueOf(said));
  const numbers = [
    ...(rest.match(/\d[\d,.]*/g) ?? []).map(valueOf),
    ...(rest.toLowerCase().match(WORDS) ?? []).flatMap((word) => NUMBER_WORDS.get(word) ?? []),
  ];
  return numbers.some((number) => number !== value);
}

const valueOf = (number: string): number => Number(number.replace(/,(?=\d{3})/g, '').replace(/[,.]+$/, ''));

/** The same calculation in the same characters, however it was set. */
const plainNotation = (text: string): string =>
  text
    .replace(/[×·]|\\times(?![a-z])|\\cdot(?![a-z])/g, '*')
    .replace(/[−–]/g, '-')
    .replace(/\$|\\[()[\],!;]/g, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([-+*/=()]) ?/g, '$1')
    .trim();
