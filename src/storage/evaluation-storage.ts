/**
 * @file Evaluations, and what teachers are asked, in IndexedDB: what was asked of whom, and each answer as it came, in a
 * record of its own. Whatever moment the page is closed at, what was answered need not be asked again. No address of a
 * server and no key is in it.
 */
import { createStore, del, get, set, values } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import * as v from 'valibot';
import type { Answer } from '../eval/evaluation';
import type { Slot } from '../eval/evaluator';
import { describeStorageError } from './storage-error';

const whole = (low: number, high: number) => v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high));
const within = (low: number, high: number) => v.pipe(v.number(), v.minValue(low), v.maxValue(high));
const text = (most: number) => v.pipe(v.string(), v.maxLength(most));

/** The largest that the page offers, and that what is stored may have. */
export const bounds = { n: 2000, k: 64, concurrency: 32, per_minute: 6000, max_tokens: 131_072, models: 12 } as const;

const samplingSchema = v.object({
  temperature: v.optional(within(0, 5)),
  top_p: v.optional(within(0.01, 1)),
  max_tokens: v.optional(whole(1, bounds.max_tokens)),
});

const runSchema = v.object({
  id: text(100),
  /** Milliseconds since 1970. */
  created: v.number(),
  updated: v.number(),
  source: v.variant('kind', [
    v.object({
      kind: v.literal('task'),
      task: text(100),
      difficulty: whole(0, 1000),
      n: whole(1, bounds.n),
      seed: whole(0, 2 ** 31),
    }),
    v.object({
      kind: v.literal('lessons'),
      task: text(100),
      difficulty: whole(0, 1000),
      n: whole(1, bounds.n),
      seed: whole(0, 2 ** 31),
      notation: v.picklist(['short', 'free']),
    }),
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
  seed: whole(0, 2 ** 31),
  /** What the reader chose; the rest is as each model's makers recommend. */
  sampling: samplingSchema,
  /** For models on servers; those on this machine answer one at a time. */
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
        /** What it was asked with; null until it was. */
        settings: v.nullable(v.record(v.string(), v.number())),
      }),
    ),
    v.minLength(1),
    v.maxLength(bounds.models),
  ),
});

export type EvaluationRun = v.InferOutput<typeof runSchema>;
export type EvaluatedModel = EvaluationRun['models'][number];

/** An answer, and what it answers; `model` is its place in the evaluation's list. */
export interface StoredAnswer extends Slot, Answer {
  model: number;
}

export class EvaluationStorage {
  readonly #runs: UseStore;
  readonly #answers: UseStore;

  /** @param name prefix of the databases; tests use their own */
  constructor(name = 'tinythink') {
    // idb-keyval keeps one store a database.
    this.#runs = createStore(`${name}-evaluations`, 'evaluations');
    this.#answers = createStore(`${name}-evaluation-answers`, 'answers');
  }

  /** Newest first; what another version wrote and this one can't read is left out. */
  async list(): Promise<EvaluationRun[]> {
    const stored = await guard(() => values<unknown>(this.#runs));
    return stored
      .flatMap((each) => {
        const parsed = v.safeParse(runSchema, each);
        return parsed.success ? [parsed.output] : [];
      })
      .sort((a, b) => b.created - a.created);
  }

  async get(id: string): Promise<EvaluationRun | undefined> {
    const parsed = v.safeParse(runSchema, await guard(() => get<unknown>(id, this.#runs)));
    return parsed.success ? parsed.output : undefined;
  }

  /** @throws Error with a message for the user: the storage is full or closed */
  async save(run: EvaluationRun): Promise<void> {
    await guard(() => set(run.id, run, this.#runs));
  }

  /** @throws Error with a message for the user */
  async saveAnswer(id: string, answer: StoredAnswer): Promise<void> {
    await guard(() => set([id, answer.model, answer.problem, answer.sample], answer, this.#answers));
  }

  async answers(id: string): Promise<StoredAnswer[]> {
    return guard(() => this.#answers('readonly', (store) => request(store.getAll(keysOf(id)))));
  }

  async delete(id: string): Promise<void> {
    await guard(async () => {
      await del(id, this.#runs);
      await this.#answers('readwrite', (store) => request(store.delete(keysOf(id))));
    });
  }
}

const keysOf = (id: string): IDBKeyRange => IDBKeyRange.bound([id], [id, []]);

const request = <T>(asked: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = describeStorageError(error);
    throw new Error(
      message
        .replace('Delete saved runs, or export this one to a file.', 'Delete evaluations, runs or models, then go on.')
        .replace('Runs are not saved', 'Answers are not saved'),
      { cause: error },
    );
  }
}
