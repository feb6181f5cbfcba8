/**
 * @file Distillation as of R1 (arXiv 2501.12948, section 2.4): a teacher answers problems of a task, the answers that the
 * task's verifier accepts are kept, and a smaller model is fine-tuned on them. Here: which are kept and why the others
 * are not, and what is kept as JSON lines. Asking is the evaluator's work, learning that of the cold start.
 */
import { readJsonLines, writeJsonLines } from '../base/json-lines';
import * as v from 'valibot';
import { finalAnswer } from '../tasks/answer';
import type { SftExample } from '../rl/sft-examples';
import { getTask } from '../tasks';
import { SPECIAL_TOKENS } from '../tasks/vocabulary';
import type { Answer } from './evaluation';
import { sampleSeed, type Slot } from './evaluator';
import type { EvalProblem, ProblemSource } from './problem-set';
import type { GenerateRequest } from '../runs/chat-model';

export type TeachingSource = Extract<ProblemSource, { kind: 'lessons' }>;

/** Why an answer is not learned from. */
export type Refusal = 'wrong' | 'no answer' | 'cut off' | 'no reasoning' | 'stray tags' | 'repeated';

export const refusals: Readonly<Record<Refusal, string>> = {
  wrong: 'The answer is wrong.',
  'no answer': 'There is no final answer in it.',
  'cut off': 'It was cut off before its end.',
  'no reasoning': 'It answers without any working, which teaches no reasoning.',
  'stray tags': 'Tags stand inside its working or its answer.',
  repeated: 'The same was written before, to the same problem.',
};

/** An answer of the teacher's with what became of it. */
export interface Judged extends Slot {
  solution: Solution | null;
  /** Null: kept. */
  refusal: Refusal | null;
}

export interface Solution {
  reasoning: string;
  answer: string;
}

/** Keeps what is right, whole and new; in the order given. */
export function judge(
  source: TeachingSource,
  exam: readonly EvalProblem[],
  answers: readonly (Slot & Pick<Answer, 'text' | 'finished'>)[],
): Judged[] {
  const seen = new Set<string>();
  return answers.map((answer) => {
    const { problem, sample } = answer;
    const solution = readOnce(answer, source.notation);
    const asked = exam[problem]!;
    let refusal = answer.finished ? refusalOf(asked, solution) : 'cut off';
    if (refusal === null) {
      const key = JSON.stringify([asked.prompt, solution]);
      if (seen.has(key)) refusal = 'repeated';
      seen.add(key);
    }
    return { problem, sample, solution, refusal };
  });
}

/** What was read of answers before: a page judges all of them again with every new one. */
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
  const { reasoning, answer } = solution;
  if (!problem.isRight(answer)) return 'wrong';
  if (reasoning === '') return 'no reasoning';
  return [reasoning, answer].some((text) => SPECIAL_TOKENS.some((tag) => text.includes(tag))) ? 'stray tags' : null;
}

/**
 * Working and final answer, told apart.
 * @param text hostile; read in linear time
 * @param short the working shall be in the small models' notation: line breaks become semicolons, spaces around operators go
 */
export function readSolution(text: string, short = false): Solution | null {
  const answer = finalAnswer(text);
  if (answer === null) return null;
  const reasoning = reasoningOf(text).trim();
  return { reasoning: short ? inShort(reasoning) : reasoning, answer };
}

function reasoningOf(text: string): string {
  const close = '</think>';
  // As the small models write it, whatever else was thought before.
  const tag = text.lastIndexOf('<answer>');
  const before = text.lastIndexOf(close, tag);
  if (tag >= 0 && before >= 0 && text.slice(before + close.length, tag).trim() === '') {
    return insideThink(text.slice(0, before));
  }
  const end = text.lastIndexOf(close);
  const thoughts = end < 0 ? '' : insideThink(text.slice(0, end));
  if (thoughts.trim() !== '') return thoughts;
  // Who doesn't think apart, works in what it says.
  const said = text.slice(end < 0 ? 0 : end + close.length);
  const marks = [said.lastIndexOf('\\boxed{'), said.lastIndexOf('<answer>')].filter((at) => at >= 0);
  return marks.length > 0 ? said.slice(0, Math.max(...marks)) : said;
}

/** What follows the last opening tag, which the model's template may have written. */
function insideThink(text: string): string {
  const open = text.lastIndexOf('<think>');
  return open < 0 ? text : text.slice(open + '<think>'.length);
}

const inShort = (text: string): string =>
  text
    .replace(/[×·]/g, '*')
    .replace(/[−–]/g, '-')
    .split(/[\n;]/)
    .map((step) =>
      step
        .replace(/[^\S\n]+/g, ' ')
        .replace(/ ?([-+*=]) ?/g, '$1')
        .trim(),
    )
    .filter((step) => step !== '')
    .join(';');

/** What came of a teacher's answers. */
export interface DistillationSummary {
  asked: number;
  kept: number;
  /** Of the answers. */
  share: number;
  /** Problems with something kept. */
  problems: number;
  /** Of what is kept, in tokens: the thoughts where they are told apart, else all of it; null without anything kept. */
  mean_reasoning: number | null;
  /** Of all answers and, as far as that was counted, of their questions. */
  tokens: number;
  prompt_tokens: number;
  refused: Partial<Record<Refusal, number>>;
}

export function summariseDistillation(judged: readonly Judged[], answers: readonly Answer[]): DistillationSummary {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const kept = answers.filter((_, i) => judged[i]!.refusal === null);
  const refused: DistillationSummary['refused'] = {};
  for (const { refusal } of judged) if (refusal) refused[refusal] = (refused[refusal] ?? 0) + 1;
  const lengths = kept.map(({ thought_tokens, tokens }) => thought_tokens || tokens);
  return {
    asked: judged.length,
    kept: kept.length,
    share: judged.length > 0 ? kept.length / judged.length : 0,
    problems: new Set(judged.filter(({ refusal }) => refusal === null).map(({ problem }) => problem)).size,
    mean_reasoning: kept.length > 0 ? sum(lengths) / kept.length : null,
    tokens: sum(answers.map(({ tokens }) => tokens)),
    prompt_tokens: sum(answers.map(({ prompt_tokens }) => prompt_tokens ?? 0)),
    refused,
  };
}

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
    ({ reasoning, answer }) => SPECIAL_TOKENS.every((tag) => !reasoning.includes(tag) && !answer.includes(tag)),
    'tags stand inside its reasoning or its answer',
  ),
);

export type DistilledSample = v.InferOutput<typeof sampleSchema>;
export type Teacher = DistilledSample['teacher'];

export const completionOf = ({ reasoning, answer }: Solution): string =>
  `<think>${reasoning}</think><answer>${answer}</answer>`;

/** Duplicates are told by this. */
const keyOf = ({ task, problem, completion }: DistilledSample): string => JSON.stringify([task, problem, completion]);

/** The kept ones as lines; `settings` are those of the first sample, whose later ones have seeds of their own. */
export function keptSamples(
  source: TeachingSource,
  exam: readonly EvalProblem[],
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
  return judge(source, exam, answers).flatMap(({ problem, sample, solution, refusal }, i) => {
    if (refusal !== null || !solution) return [];
    const { prompt, answer } = exam[problem]!;
    return {
      task: source.task,
      difficulty: source.difficulty,
      problem: prompt,
      reference: answer,
      prompt: asked(exam[problem]!),
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
    const [issue] = parsed.issues;
    const path = v.getDotPath(issue);
    if (path && issue.received === 'undefined') return `“${path}” is missing`;
    const reason = issue.message.length > 200 ? `${issue.message.slice(0, 197)}…` : issue.message;
    return path ? `“${path}”: ${reason}` : reason;
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
