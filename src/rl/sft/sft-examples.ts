/**
 * @file Worked answers to fine-tune on, for example a teacher's (src/eval/distillation/): which of them a student can
 * write, and in which order it sees them.
 */
import { rng } from '../../base/rng';
import type { TextTokenizer } from '../../formats/text/tokenizer';
import type { SequenceGroup } from '../../model/train/batch';
import type { Task } from '../../tasks/task';
import type { RunConfig } from '../config';
import { maxPromptLength, taskPrompt } from '../prompt';

export interface SftExample {
  task: string;
  /** The problem as the student is asked it. */
  problem: string;
  /** `<think>…</think><answer>…</answer>`. */
  completion: string;
}

/** An example as token ids, its end-of-sequence token included. */
export interface EncodedExample {
  prompt: number[];
  completion: number[];
}

/** How many examples a student can't learn from, and why. */
export interface SkippedExamples {
  'of another task': number;
  'not in its characters': number;
  'too long': number;
}

/** Key of the random stream that orders the examples. */
const ORDER = 4;

/**
 * The examples that fit: of the run's task, in characters that the tokenizer can reproduce, and short enough.
 * @throws RangeError with the reasons when none is left
 */
export function encodeExamples(
  given: readonly SftExample[],
  tokenizer: TextTokenizer,
  task: Task,
  { max_completion_length }: Pick<RunConfig, 'max_completion_length'>,
): { examples: EncodedExample[]; skipped: SkippedExamples } {
  const skipped: SkippedExamples = { 'of another task': 0, 'not in its characters': 0, 'too long': 0 };
  const end = tokenizer.eosId === null ? [] : [tokenizer.eosId];
  const longest = maxPromptLength(task);
  const examples: EncodedExample[] = [];
  for (const example of given) {
    if (example.task !== task.name) skipped['of another task']++;
    else if (!isWritable(tokenizer, example.problem) || !isWritable(tokenizer, example.completion))
      skipped['not in its characters']++;
    else {
      const prompt = taskPrompt(tokenizer, task, { prompt: example.problem, answer: '', steps: [] });
      const completion = [...tokenizer.encode(withoutOpening(tokenizer, prompt, example.completion)), ...end];
      if (prompt.length > longest || completion.length > max_completion_length) skipped['too long']++;
      else examples.push({ prompt, completion });
    }
  }
  if (examples.length === 0) {
    throw new RangeError(
      `The data set has ${given.length} examples, and this model can learn from none of them: ${describeSkipped(skipped)}.`,
    );
  }
  return { examples, skipped };
}

/** `12 too long, 3 of another task`; empty when none was skipped. */
export const describeSkipped = (skipped: SkippedExamples): string =>
  Object.entries(skipped)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');

/**
 * The batch of update `step` (from 1): `size` examples, or all of them when there are fewer. Each is used once before any
 * is used again, in a new order each time.
 */
export function exampleBatch(
  examples: readonly EncodedExample[],
  seed: number,
  step: number,
  size: number,
): SequenceGroup[] {
  const count = Math.min(size, examples.length);
  const orders = new Map<number, EncodedExample[]>();
  const orderOf = (epoch: number) => {
    const order = orders.get(epoch) ?? rng(seed, ORDER, epoch).shuffle(examples);
    orders.set(epoch, order);
    return order;
  };
  return Array.from({ length: count }, (_, i) => {
    const at = (step - 1) * count + i;
    const { prompt, completion } = orderOf(Math.floor(at / examples.length))[at % examples.length]!;
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

/** Some chat templates open the think block themselves. */
function withoutOpening(tokenizer: TextTokenizer, prompt: readonly number[], completion: string): string {
  const opened = /<think>\s*$/.test(tokenizer.decode(prompt.slice(-8)));
  return opened ? completion.replace(/^<think>/, '') : completion;
}
