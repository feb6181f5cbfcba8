/**
 * @file Worked answers to learn from, as of a teacher (src/eval/distillation.ts): which of them a student can write, and
 * in which order it sees them.
 */
import type { TextTokenizer } from '../formats/text/tokenizer';
import type { SequenceGroup } from '../model/train/batch';
import { rng } from '../base/rng';
import type { Task } from '../tasks/task';
import type { RunConfig } from './config';
import { MAX_CHAT_PROMPT_LENGTH, MAX_PROMPT_LENGTH, taskPrompt } from './prompt';

export interface SftExample {
  task: string;
  /** As the student is asked. */
  problem: string;
  /** `<think>…</think><answer>…</answer>`. */
  completion: string;
}

/** A lesson as token ids, its end included. */
export interface EncodedExample {
  prompt: number[];
  completion: number[];
}

/** How many lessons a student can't learn from, and why. */
export interface LeftOut {
  'of another task': number;
  'not in its characters': number;
  'too long': number;
}

/** Key of the lessons' order. */
const ORDER = 4;

/**
 * The lessons that fit: of the run's task, in characters that the tokenizer gives back as they were, and short enough.
 * @throws RangeError with the reasons when none is left
 */
export function encodeExamples(
  lessons: readonly SftExample[],
  tokenizer: TextTokenizer,
  task: Task,
  { max_completion_length }: Pick<RunConfig, 'max_completion_length'>,
): { lessons: EncodedExample[]; leftOut: LeftOut } {
  const leftOut: LeftOut = { 'of another task': 0, 'not in its characters': 0, 'too long': 0 };
  const end = tokenizer.eosId === null ? [] : [tokenizer.eosId];
  const longest = task.instruction === undefined ? MAX_PROMPT_LENGTH : MAX_CHAT_PROMPT_LENGTH;
  const encoded: EncodedExample[] = [];
  for (const lesson of lessons) {
    if (lesson.task !== task.name) leftOut['of another task']++;
    else if (!isWritable(tokenizer, lesson.problem) || !isWritable(tokenizer, lesson.completion))
      leftOut['not in its characters']++;
    else {
      const prompt = taskPrompt(tokenizer, task, { prompt: lesson.problem, answer: '', steps: [] });
      const completion = [...tokenizer.encode(withoutOpening(tokenizer, prompt, lesson.completion)), ...end];
      if (prompt.length > longest || completion.length > max_completion_length) leftOut['too long']++;
      else encoded.push({ prompt, completion });
    }
  }
  if (encoded.length === 0) {
    throw new RangeError(
      `The data set has ${lessons.length} lines, and this model can learn from none of them: ${describeLeftOut(leftOut)}.`,
    );
  }
  return { lessons: encoded, leftOut };
}

/** `12 too long, 3 of another task`; empty when none was left out. */
export const describeLeftOut = (leftOut: LeftOut): string =>
  Object.entries(leftOut)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');

/**
 * What update `step` (from 1) learns from: `size` lessons, or all of them when there are fewer. Each passes once before
 * any comes again, every time in another order.
 */
export function exampleBatch(
  lessons: readonly EncodedExample[],
  seed: number,
  step: number,
  size: number,
): SequenceGroup[] {
  const count = Math.min(size, lessons.length);
  const orders = new Map<number, EncodedExample[]>();
  const orderOf = (epoch: number) => {
    const order = orders.get(epoch) ?? rng(seed, ORDER, epoch).shuffle(lessons);
    orders.set(epoch, order);
    return order;
  };
  return Array.from({ length: count }, (_, i) => {
    const at = (step - 1) * count + i;
    const { prompt, completion } = orderOf(Math.floor(at / lessons.length))[at % lessons.length]!;
    return { prompt, completions: [completion] };
  });
}

function isWritable(tokenizer: TextTokenizer, text: string): boolean {
  try {
    return tokenizer.decode(tokenizer.encode(text)) === text;
  } catch {
    return false;
  }
}

/** Some chat templates open the thoughts themselves. */
function withoutOpening(tokenizer: TextTokenizer, prompt: readonly number[], completion: string): string {
  const opened = /<think>\s*$/.test(tokenizer.decode(prompt.slice(-8)));
  return opened ? completion.replace(/^<think>/, '') : completion;
}
