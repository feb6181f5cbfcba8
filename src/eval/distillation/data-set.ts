/** @file What is kept of a distillation as JSON lines: written, checked when it is read, and as examples to learn from. */
import * as v from 'valibot';
import { readJsonLines, writeJsonLines } from '../../base/json-lines';
import { describeIssue } from '../../base/schema-issue';
import type { SftExample } from '../../rl/sft/sft-examples';
import type { GenerateRequest } from '../../runs/chat-model';
import { getTask } from '../../tasks';
import { containsTag, formatCompletion } from '../../tasks/answer';
import type { Answer } from '../evaluation';
import { sampleSeed, type Slot } from '../evaluator';
import type { EvalProblem } from '../problem-set';
import { filterAnswers, type TeachingSource } from './filter';
import type { Solution } from './solution';

const MAX_TEXT = 20_000;
const MAX_REASONING = 1_000_000;
/** Of a file: in characters, and lines. */
export const MAX_DATASET = 200_000_000;
export const MAX_SAMPLES = 100_000;
/** Errors that a message lists. */
const LISTED = 3;

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31));
const setting = v.pipe(v.number(), v.finite());

/** A kept answer as a line of a file: `prompt` and `completion` are what TRL calls them. */
const sampleSchema = v.pipe(
  v.object({
    task: text(100),
    difficulty: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1000)),
    /** As the student is asked. */
    problem: v.pipe(text(MAX_TEXT), v.nonEmpty()),
    /** A right answer, as the task has it. */
    reference: text(MAX_TEXT),
    /** As the teacher was asked. */
    prompt: v.pipe(
      v.array(v.object({ role: v.picklist(['system', 'user', 'assistant']), content: text(MAX_REASONING) })),
      v.maxLength(100),
    ),
    reasoning: text(MAX_REASONING),
    answer: text(MAX_TEXT),
    /** As the student shall write it. */
    completion: text(MAX_REASONING + MAX_TEXT + 100),
    /** `server` is the kind of server, or where else it was; never an address. */
    teacher: v.object({ model: text(1000), server: text(100) }),
    sampling: v.record(text(100), setting),
    seed: count,
    /** Of the answer, thoughts included. */
    tokens: count,
  }),
  v.check(
    ({ reasoning, answer, completion }) => completion === completionOf({ reasoning, answer }),
    '“completion” is not <think>reasoning</think><answer>answer</answer>',
  ),
  v.check(
    ({ reasoning, answer }) => !containsTag(reasoning) && !containsTag(answer),
    'tags stand inside its reasoning or its answer',
  ),
);

export type DistilledSample = v.InferOutput<typeof sampleSchema>;
export type Teacher = DistilledSample['teacher'];

export const completionOf = ({ reasoning, answer }: Solution): string => formatCompletion(reasoning, answer);

/** Duplicates are told by this. */
const keyOf = ({ task, problem, completion }: DistilledSample): string => JSON.stringify([task, problem, completion]);

/** The kept ones as lines; `settings` are those of the first sample, whose later ones have seeds of their own. */
export function keptSamples(
  source: TeachingSource,
  problems: readonly EvalProblem[],
  answers: readonly (Slot & Answer)[],
  teacher: Teacher,
  settings: Omit<GenerateRequest, 'messages'>,
  asked: (problem: EvalProblem) => DistilledSample['prompt'] = ({ messages }) => messages,
): DistilledSample[] {
  const { seed, ...rest } = settings;
  const sampling = Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value === 'number')) as Record<
    string,
    number
  >;
  return filterAnswers(source, problems, answers).flatMap(({ problem, sample, solution, refusal }, i) => {
    if (refusal !== null || !solution) return [];
    const { prompt, answer } = problems[problem]!;
    return {
      task: source.task,
      difficulty: source.difficulty,
      problem: prompt,
      reference: answer,
      prompt: asked(problems[problem]!),
      ...solution,
      completion: completionOf(solution),
      teacher,
      sampling,
      seed: sampleSeed(seed, sample),
      tokens: answers[i]!.tokens,
    };
  });
}

/** A data set as JSON lines. */
export const writeDataset = (samples: readonly DistilledSample[]): string => writeJsonLines(samples);

/** What is wrong with a file, line by line, as a message for the user. */
export class DatasetError extends Error {
  override name = 'DatasetError';
}

export interface ReadDataset {
  samples: DistilledSample[];
  /** Left out: answers that the task doesn't accept, and lines that were there before. */
  wrong: number;
  repeated: number;
}

/**
 * Reads a file of `writeDataset`, whoever wrote it: each line is checked, and each answer verified once more.
 * @param jsonl hostile
 * @throws DatasetError
 */
export function parseDataset(jsonl: string): ReadDataset {
  if (jsonl.length > MAX_DATASET) throw new DatasetError(`The file is larger than ${MAX_DATASET / 1e6} MB.`);
  const samples = new Map<string, DistilledSample>();
  const errors: string[] = [];
  const left = { wrong: 0, repeated: 0 };
  for (const { number, value } of readJsonLines(jsonl)) {
    if (samples.size === MAX_SAMPLES) throw new DatasetError(`There are more than ${MAX_SAMPLES} lines.`);
    const read = readSample(value);
    if (typeof read === 'string') errors.push(`Line ${number}: ${read}.`);
    else if (!isRight(read)) left.wrong++;
    else if (samples.has(keyOf(read))) left.repeated++;
    else samples.set(keyOf(read), read);
  }
  if (errors.length > 0) {
    const more = errors.length > LISTED ? ` And ${errors.length - LISTED} more.` : '';
    throw new DatasetError(errors.slice(0, LISTED).join(' ') + more);
  }
  if (samples.size === 0) {
    throw new DatasetError(
      left.wrong > 0 ? 'None of its answers is right.' : 'There is nothing in it: one JSON object a line is expected.',
    );
  }
  return { samples: [...samples.values()], ...left };
}

/** The sample, or what is wrong with the line. */
function readSample(value: unknown): DistilledSample | string {
  if (value === undefined) return 'this is not JSON';
  const parsed = v.safeParse(sampleSchema, value, { abortEarly: true });
  if (!parsed.success) {
    return describeIssue(parsed.issues[0]);
  }
  try {
    getTask(parsed.output.task);
  } catch {
    return `“task”: there is no task of this name`;
  }
  return parsed.output;
}

const isRight = ({ task, problem, reference, answer }: DistilledSample): boolean =>
  getTask(task).verify({ prompt: problem, answer: reference, steps: [] }, answer);

/** What a run learns from. */
export const sftExamples = (samples: readonly DistilledSample[]): SftExample[] =>
  samples.map(({ task, problem, completion }) => ({ task, problem, completion }));

/** A name for a data set, as a run's config may hold it. */
export const datasetName = (text: string): string =>
  text
    .replace(/[^A-Za-z0-9.-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|[-.]+$/g, '')
    .slice(0, 80) || 'data';
