/**
 * @file `distil --teacher DIR|FILE.gguf|URL --task NAME --n N --k K --out FILE.jsonl`: asks a teacher for k answers to each
 * of n problems, and writes those that the task accepts as JSON lines, which `train --cold-start-dataset` learns from.
 * Every answer is kept beside it as it comes, so that the same command goes on where it was broken off. The key of a server
 * is taken from TINYTHINK_KEY.
 */
import { readJsonLines, writeJsonLines } from '../../base/json-lines';
import { messageOf } from '../../base/errors';
import { readFile } from 'node:fs/promises';
import {
  filterAnswers,
  keptSamples,
  refusals,
  summariseDistillation,
  writeDataset,
  type TeachingSource,
  type Refusal,
} from '../../eval/distillation';
import type { Answer } from '../../eval/evaluation';
import { evaluateMissing, type Slot } from '../../eval/evaluator';
import { bareMessages, buildProblems } from '../../eval/problem-set';
import { getTask } from '../../tasks';
import { JsonLines, writeWhole } from '../files';
import { parseOptions, UsageError } from '../options';
import { openTeacher } from '../teacher';
import { inferenceFlags } from './generate';

/** What a model of the tasks' own characters is trained with, and room for the thoughts of others. */
const MAX_NEW = { toy: 112, other: 2048 };
const REPORT_MS = 5000;

type StoredAnswer = Slot & Answer;

export async function distil(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    teacher: { type: 'string', required: true },
    'server-kind': { type: 'string' },
    'remote-model': { type: 'string' },
    task: { type: 'string', default: 'sum' },
    difficulty: { type: 'number' },
    n: { type: 'number', default: 200 },
    k: { type: 'number', default: 2 },
    seed: { type: 'number', default: 0 },
    /** `short`: as the small models write; `free`: in the teacher's own words. */
    notation: { type: 'string', default: 'short' },
    temperature: { type: 'number' },
    'top-p': { type: 'number' },
    'max-new': { type: 'number' },
    concurrency: { type: 'number', default: 4 },
    'per-minute': { type: 'number' },
    out: { type: 'string', required: true },
    ...inferenceFlags,
  });
  const { notation, n, k, seed, concurrency } = options;
  if (notation !== 'short' && notation !== 'free')
    throw new UsageError(`--notation takes short or free, not ${notation}`);
  for (const [name, value] of Object.entries({ n, k, concurrency })) {
    if (!Number.isInteger(value) || value < 1) throw new UsageError(`--${name} takes a whole number from 1`);
  }
  const difficulty = options.difficulty ?? getTask(options.task).difficulty.default;
  const source: TeachingSource = { kind: 'teaching', task: options.task, difficulty, n, seed, notation };
  const problems = buildProblems(source);
  if (problems.length < n) console.error(`There are ${problems.length} different problems of this kind.`);

  const { model, teacher, remote } = await openTeacher(options);
  const { sampling, readsLanguage = true } = model;
  const settings = {
    temperature: options.temperature ?? sampling?.temperature ?? (readsLanguage ? 0.7 : 1),
    top_p: options['top-p'] ?? sampling?.top_p ?? (readsLanguage ? 0.95 : 1),
    top_k: sampling?.top_k ?? 0,
    min_p: sampling?.min_p ?? 0,
    repetition_penalty: sampling?.repetition_penalty ?? 1,
    max_tokens: options['max-new'] ?? (readsLanguage ? MAX_NEW.other : MAX_NEW.toy),
    seed,
  };
  const messages = readsLanguage ? ({ messages }: (typeof problems)[number]) => messages : bareMessages;

  const path = `${options.out}.answers.jsonl`;
  const answers = await takeUp(path, { teacher, source: { ...source, n: undefined }, settings });
  const log = await JsonLines.open(path, 'all');
  const wanted = () =>
    [...answers.values()]
      .filter(({ problem, sample }) => problem < problems.length && sample < k)
      .sort((a, b) => a.problem - b.problem || a.sample - b.sample);
  const report = () => {
    const all = wanted();
    const { asked, kept, share } = summariseDistillation(filterAnswers(source, problems, all), all);
    console.error(`${asked} of ${problems.length * k} answers, ${kept} kept (${percent(share)})`);
  };

  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  let reported = Date.now();
  const notices = new Set<string>();
  const failure = await evaluateMissing(
    model,
    {
      problems,
      k,
      request: settings,
      messages,
      // On this machine one answer after the other is quickest.
      pace: remote ? { concurrency, per_minute: options['per-minute'] ?? null } : { concurrency: 1, per_minute: null },
      isDone: (slot) => answers.has(keyOf(slot)),
      onAnswer: async (slot, answer) => {
        const stored = { ...slot, ...answer };
        log.write(stored);
        await log.flush();
        answers.set(keyOf(slot), stored);
        if (Date.now() - reported < REPORT_MS) return;
        reported = Date.now();
        report();
      },
      onToken: ({ notice }) => {
        if (notice && !notices.has(notice)) console.error(notice);
        if (notice) notices.add(notice);
      },
      onFailure: (_, error) => console.error(`An answer failed, and is left out. ${messageOf(error)}`),
    },
    abort.signal,
  ).catch((error: unknown) => messageOf(error));
  await log.close();

  const all = wanted();
  const samples = keptSamples(source, problems, all, teacher, settings, messages);
  await writeWhole(options.out, writeDataset(samples));
  const summary = summariseDistillation(filterAnswers(source, problems, all), all);
  console.log(
    `${options.out}: ${summary.kept} of ${summary.asked} answers kept (${percent(summary.share)}), to ${summary.problems} of ${problems.length} problems`,
  );
  if (summary.mean_reasoning !== null) console.log(`mean reasoning ${summary.mean_reasoning.toFixed(1)} tokens`);
  console.log(`cost ${summary.prompt_tokens} tokens in, ${summary.tokens} out`);
  for (const [reason, count] of Object.entries(summary.refused))
    console.log(`${count} × ${refusals[reason as Refusal]}`);
  if (all.length < problems.length * k) {
    const rest = `${problems.length * k - all.length} answers are missing; the same command asks for them`;
    throw new Error(failure ? `${failure} ${rest}.` : rest);
  }
}

/**
 * The answers that are there from the last time.
 * @throws UsageError when they were asked for otherwise
 */
async function takeUp(path: string, asked: unknown): Promise<Map<string, StoredAnswer>> {
  const [header, ...lines] = readJsonLines(await readFile(path, 'utf8').catch(() => ''));
  if (header && JSON.stringify(header.value) !== JSON.stringify(asked)) {
    throw new UsageError(`${path} holds answers that were asked for otherwise; choose another --out, or delete it`);
  }
  const answers = new Map<string, StoredAnswer>();
  for (const { value } of lines) {
    // A line that was cut short when the command was stopped is asked for again.
    if (value === undefined) continue;
    const answer = value as StoredAnswer;
    answers.set(keyOf(answer), answer);
  }
  await writeWhole(path, writeJsonLines([asked, ...answers.values()]));
  return answers;
}

const keyOf = ({ problem, sample }: Slot): string => `${problem} ${sample}`;
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
