/**
 * @file Evaluations and distillations: which problems went to which models, and each answer as it arrived, in a record of
 * its own. If the page is closed at any moment, answers that are here need not be asked for again. Addresses and keys of
 * servers are never stored here.
 */
import * as v from 'valibot';
import { writeJsonLines } from '../base/json-lines';
import type { Answer } from '../eval/evaluation';
import type { Slot } from '../eval/evaluator';
import { keysOf, Table } from './database';
import { newestFirst, recordReader } from './records';
import { UnreadableRecords } from './unreadable-records';

const whole = (low: number, high: number) => v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high));
const within = (low: number, high: number) => v.pipe(v.number(), v.minValue(low), v.maxValue(high));
const text = (most: number) => v.pipe(v.string(), v.maxLength(most));

/** The largest values that the page accepts, and that a stored evaluation may have. */
export const bounds = { n: 2000, k: 64, concurrency: 32, per_minute: 6000, max_tokens: 131_072, models: 12 } as const;

const samplingSchema = v.object({
  temperature: v.optional(within(0, 5)),
  top_p: v.optional(within(0.01, 1)),
  max_tokens: v.optional(whole(1, bounds.max_tokens)),
});

const seed = whole(0, 2 ** 31);
const notation = v.picklist(['short', 'free']);
/** Problems that a task makes. */
const ofTask = { task: text(100), difficulty: whole(0, 1000), n: whole(1, bounds.n) };

const runSchema = v.object({
  id: text(100),
  /** Milliseconds since 1970. */
  created: v.number(),
  updated: v.number(),
  source: v.variant('kind', [
    v.object({ kind: v.literal('held-out'), ...ofTask }),
    v.object({ kind: v.literal('teaching'), ...ofTask, seed, notation }),
    // The next two were stored by earlier versions.
    v.object({ kind: v.literal('task'), ...ofTask, seed }),
    v.object({ kind: v.literal('lessons'), ...ofTask, seed, notation }),
    v.object({
      kind: v.literal('file'),
      name: text(300),
      problems: v.pipe(
        v.array(v.object({ problem: text(20_000), answer: text(20_000) })),
        v.minLength(1),
        v.maxLength(bounds.n),
      ),
    }),
  ]),
  k: whole(1, bounds.k),
  seed,
  /** What the user chose; everything else is as each model's makers recommend. */
  sampling: samplingSchema,
  /** Only for models on servers: those on this device answer one question at a time. */
  pace: v.object({
    concurrency: whole(1, bounds.concurrency),
    per_minute: v.nullable(whole(1, bounds.per_minute)),
  }),
  models: v.pipe(
    v.array(
      v.object({
        id: text(1000),
        label: text(1000),
        toy: v.boolean(),
        /** The sampling settings that were used; null before the first question. */
        settings: v.nullable(v.record(v.string(), v.number())),
      }),
    ),
    v.minLength(1),
    v.maxLength(bounds.models),
  ),
});

export type EvaluationRun = v.InferOutput<typeof runSchema>;
export type EvaluatedModel = EvaluationRun['models'][number];

/** An answer and which question it belongs to; `model` is an index into the evaluation's models. */
export interface StoredAnswer extends Slot, Answer {
  model: number;
}

const number = v.union([v.number(), v.nan()]);

const answerSchema = v.looseObject({
  model: whole(0, bounds.models - 1),
  problem: whole(0, bounds.n - 1),
  sample: whole(0, bounds.k - 1),
  text: v.string(),
  answer: v.nullable(v.string()),
  correct: v.boolean(),
  finished: v.boolean(),
  tokens: number,
  thought_tokens: number,
  prompt_tokens: v.nullable(number),
  ms: number,
}) as v.GenericSchema<unknown, StoredAnswer>;

export class EvaluationStorage {
  readonly #runs: Table<EvaluationRun>;
  readonly #answers: Table<StoredAnswer, [id: string, model: number, problem: number, sample: number]>;
  readonly unreadable: UnreadableRecords;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    this.#runs = new Table({
      database: `${name}-evaluations`,
      store: 'evaluations',
      of: 'evaluations',
      read: recordReader(runSchema, 'id'),
    });
    this.#answers = new Table({
      database: `${name}-evaluation-answers`,
      store: 'answers',
      of: 'evaluations',
      read: recordReader(answerSchema),
    });
    this.unreadable = new UnreadableRecords({
      of: 'evaluations',
      table: this.#runs,
      find: async () => (await this.#runs.entries()).unreadable,
      belongings: async (id) => {
        const answers = typeof id === 'string' ? await this.answers(id) : [];
        const lines = new TextEncoder().encode(writeJsonLines(answers));
        return new Map(answers.length > 0 ? [['answers.jsonl', lines]] : []);
      },
      remove: (id) => this.delete(id),
    });
  }

  /** Newest first. */
  async list(): Promise<EvaluationRun[]> {
    return newestFirst(await this.#runs.values());
  }

  /** @throws UnreadableError */
  get(id: string): Promise<EvaluationRun | undefined> {
    return this.#runs.get(id);
  }

  /** @throws StorageError */
  save(run: EvaluationRun): Promise<void> {
    return this.#runs.set(run.id, run);
  }

  /** @throws StorageError */
  saveAnswer(id: string, answer: StoredAnswer): Promise<void> {
    return this.#answers.set([id, answer.model, answer.problem, answer.sample], answer);
  }

  /**
   * In the order of their models, problems and samples. An answer that can't be read counts as missing: it is asked for
   * again and replaced.
   */
  answers(id: string): Promise<StoredAnswer[]> {
    return this.#answers.values(keysOf(id));
  }

  /** The record goes last, so that a crash leaves nothing without one. */
  async delete(id: IDBValidKey): Promise<void> {
    if (typeof id === 'string') await this.#answers.delete(keysOf(id));
    await this.#runs.delete(id);
  }
}
