/**
 * @file The text that a base model is pretrained on: problems of several tasks, answered in a mixture of styles. The
 * mixture decides what the base model samples, and so what RL has to amplify.
 */
import { getTask } from '../../tasks';
import type { Rng } from '../../base/rng';
import type { Problem, TraceStyle } from '../../tasks/task';
import { encode } from '../../tasks/vocabulary';

export interface MixtureTask {
  /** A name in the task registry. */
  task: string;
  /** Relative share of the samples. */
  weight: number;
  /** The dial's settings, drawn uniformly from `from` to `to`, both included. */
  difficulty: { from: number; to: number };
  /** Relative share of each style; absent = 0. */
  styles: { readonly [style in TraceStyle]?: number | undefined };
  /** Share of `full` chains among the traces; the other styles keep their proportions in the rest. Absent = as weighted. */
  p_cot?: number | undefined;
}

export interface Mixture {
  tasks: readonly MixtureTask[];
  /** Longest completion in tokens, end of sequence included; a sample with a longer one is drawn again. */
  max_completion_length: number;
}

export interface CorpusSample {
  task: string;
  style: TraceStyle;
  problem: Problem;
  prompt: string;
  /** With tags, without end-of-sequence token. */
  completion: string;
}

const MAX_DRAWS = 1000;

/**
 * One sample.
 * @throws RangeError if the mixture names a task, style or setting that doesn't exist (validateMixture), or if hardly any
 *   of its completions is short enough
 */
export function sample(rng: Rng, mixture: Mixture): CorpusSample {
  for (let drawn = 0; drawn < MAX_DRAWS; drawn++) {
    const entry = draw(rng, mixture.tasks, ({ weight }) => weight);
    const task = getTask(entry.task);
    const problem = task.generate(rng, rng.int(entry.difficulty.from, entry.difficulty.to));
    const [style] = draw(rng, styleShares(entry), ([, share]) => share);
    const completion = task.trace(rng, problem, style);
    if (encode(completion).length < mixture.max_completion_length) {
      return { task: task.name, style, problem, prompt: problem.prompt, completion };
    }
  }
  throw new RangeError(
    `Of ${MAX_DRAWS} worked examples none fits ${mixture.max_completion_length} tokens. Allow longer completions or choose easier problems.`,
  );
}

/** Token ids of a sample as the model is trained on it: `<bos>` prompt completion `<eos>`. */
export function encodeSample({ prompt, completion }: CorpusSample): number[] {
  return encode(`<bos>${prompt}${completion}<eos>`);
}

/** Shares of an entry's styles, summing to 1, with p_cot applied. */
export function styleShares(entry: MixtureTask): [TraceStyle, number][] {
  const { p_cot } = entry;
  const weights = (Object.entries(entry.styles) as [TraceStyle, number][]).filter(
    ([style, weight]) => weight > 0 && (p_cot === undefined || style !== 'full'),
  );
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  const shares = weights.map(([style, weight]): [TraceStyle, number] => [style, ((1 - (p_cot ?? 0)) * weight) / total]);
  return p_cot === undefined ? shares : [['full', p_cot], ...shares];
}

/** @throws RangeError naming the entry and what is wrong with it. */
export function validateMixture(mixture: Mixture): void {
  for (const [index, { task: name, weight, difficulty, styles, p_cot }] of mixture.tasks.entries()) {
    const fail = (problem: string): never => {
      throw new RangeError(`Mixture entry ${index} (${name}): ${problem}.`);
    };
    const task = getTask(name);
    const { min, max } = task.difficulty;
    const { from, to } = difficulty;
    if (!(Number.isInteger(from) && Number.isInteger(to) && min <= from && from <= to && to <= max)) {
      fail(`difficulty ${from} to ${to} is not a range of whole numbers within ${min} to ${max}`);
    }
    const unknown = Object.keys(styles).find((style) => !task.styles.includes(style as TraceStyle));
    if (unknown !== undefined) fail(`style '${unknown}' is not one of ${task.styles.join(', ')}`);
    if (!(weight >= 0)) fail(`weight ${weight} is negative`);
    if (Object.values(styles).some((share) => share !== undefined && !(share >= 0)))
      fail('a style has a negative share');
    if (p_cot !== undefined && !(p_cot >= 0 && p_cot <= 1)) fail(`p_cot ${p_cot} is not between 0 and 1`);
    const others = Object.entries(styles).some(
      ([style, share = 0]) => share > 0 && (p_cot === undefined || style !== 'full'),
    );
    if (!others && p_cot !== 1) fail('no style has a share');
  }
  if (!mixture.tasks.some(({ weight }) => weight > 0)) throw new RangeError('No task of the mixture has a weight.');
}

function draw<T>(rng: Rng, items: readonly T[], weightOf: (item: T) => number): T {
  let left = rng.next() * items.reduce((sum, item) => sum + weightOf(item), 0);
  let last: T | undefined;
  for (const item of items) {
    const weight = weightOf(item);
    if (weight <= 0) continue;
    last = item;
    if ((left -= weight) < 0) break;
  }
  if (last === undefined) throw new RangeError('Nothing to draw: every weight is 0.');
  return last;
}
