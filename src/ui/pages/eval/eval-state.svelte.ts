/**
 * @file The state of the Eval and Distil pages: the evaluations that are kept, the one that is shown, and asking what is
 * missing of it.
 */
import { isServerModel } from '../../../runs/model-id';
import { messageOf } from '../../../base/errors';
import type { Answer } from '../../../eval/evaluation';
import type {
  EvaluationRun,
  EvaluationStorage,
  EvaluatedModel,
  StoredAnswer,
} from '../../../storage/evaluation-storage';
import { evaluateMissing, type Slot } from '../../../eval/evaluator';
import { bareMessages, buildProblems, type EvalProblem } from '../../../eval/problem-set';
import { allTasks } from '../../../tasks';
import type { OpenChatModel, OpenProgress } from '../chat/models/open-models.svelte';
import type { SamplingSettings } from '../../../storage/conversation';
import { recommendedSettings } from '../chat/settings/settings';
import { PendingRemoval } from '../../parts/pending-removal.svelte';
import { activity } from '../../shell/activity.svelte';

/** How often the page shows what has come, in milliseconds. */
const SHOW_MS = 250;

type Storage = Pick<EvaluationStorage, 'list' | 'get' | 'save' | 'saveAnswer' | 'answers' | 'delete'>;

/** Opens a model by its id. @throws Error with a message for the user */
export type OpenModel = (
  model: EvaluatedModel,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
) => Promise<OpenChatModel>;

/** What is being done now. */
export interface Going {
  /** Its place in the evaluation's list. */
  model: number;
  /** While it is being opened. */
  opening: OpenProgress | null;
  /** Written since it was opened. */
  tokens: number;
}

/** What a model has not answered, and why. */
export interface Failure {
  answers: number;
  message: string;
}

export type NewEvaluation = Pick<EvaluationRun, 'source' | 'k' | 'seed' | 'sampling' | 'pace'> & {
  models: readonly Pick<EvaluatedModel, 'id' | 'label' | 'toy'>[];
};

export class EvalState {
  runs = $state.raw<readonly EvaluationRun[]>([]);
  run = $state.raw<EvaluationRun | null>(null);
  exam = $state.raw<readonly EvalProblem[]>([]);
  answers = $state.raw<readonly StoredAnswer[]>([]);
  going = $state.raw<Going | null>(null);
  /** By place in the list; of the last time that they were asked. */
  failures = $state.raw<Readonly<Record<number, Failure>>>({});
  /** What the models or their servers had to say besides. */
  notices = $state.raw<readonly string[]>([]);
  problem = $state('');
  readonly removal = new PendingRemoval((id) => this.#attempt(() => this.#delete(id)));
  /** By model, problem and sample. */
  // Nothing on the page depends on it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  #byKey = new Map<string, StoredAnswer>();
  #abort: AbortController | null = null;
  #ended: Promise<void> = Promise.resolve();

  constructor(
    private readonly storage: Storage,
    private readonly open: OpenModel,
    private readonly newId: () => string = () => crypto.randomUUID(),
    /** What a reload would end. */
    private readonly what = 'an evaluation',
  ) {}

  get shown(): readonly EvaluationRun[] {
    return this.runs.filter(({ id }) => id !== this.removal.current?.id);
  }

  /** Answers that the evaluation has when it is done. */
  get total(): number {
    return this.run ? this.exam.length * this.run.k * this.run.models.length : 0;
  }

  get isDone(): boolean {
    return this.answers.length >= this.total;
  }

  load(): Promise<void> {
    return this.#attempt(async () => void (this.runs = await this.storage.list()));
  }

  /** Shows a kept evaluation, as far as it went; null shows none. What was under way ends and is kept. */
  async show(id: string | null): Promise<void> {
    if (id !== null && id === this.run?.id) return;
    await this.stop();
    this.#present(null, []);
    if (id === null) return;
    await this.#attempt(async () => {
      const run = await this.storage.get(id);
      if (!run) throw new Error('What this address names is not on this device any more.');
      this.#present(run, await this.storage.answers(id));
    });
  }

  /** @returns the id of the new evaluation, which is under way; null when it can't be kept */
  async begin(wanted: NewEvaluation): Promise<string | null> {
    await this.stop();
    const now = Date.now();
    const { models, ...rest } = wanted;
    const run: EvaluationRun = {
      ...rest,
      id: this.newId(),
      created: now,
      updated: now,
      models: models.map(({ id, label, toy }) => ({ id, label, toy, settings: null })),
    };
    let begun = false;
    await this.#attempt(async () => {
      await this.storage.save(run);
      this.#present(run, []);
      begun = true;
    });
    if (!begun) return null;
    void this.load();
    void this.goOn();
    return run.id;
  }

  /** Asks for what is missing, one model after the other. Never rejects. */
  goOn(): Promise<void> {
    if (!this.run || this.going) return this.#ended;
    const abort = (this.#abort = new AbortController());
    this.failures = {};
    this.going = { model: 0, opening: null, tokens: 0 };
    const end = activity.begin(this.what);
    return (this.#ended = this.#attempt(() => this.#ask(abort.signal)).finally(() => {
      end();
      this.going = null;
      this.#show();
    }));
  }

  /** Ends what is under way; what was answered is kept. */
  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#ended;
  }

  async remove(run: EvaluationRun): Promise<void> {
    await this.removal.start({ id: run.id, name: nameOf(run) });
  }

  async #ask(signal: AbortSignal): Promise<void> {
    for (const model of this.run!.models.keys()) {
      if (signal.aborted) return;
      if (this.#missing(model) === 0) continue;
      this.going = { model, opening: null, tokens: 0 };
      try {
        await this.#askOne(model, signal);
      } catch (error) {
        if (signal.aborted) return;
        // The others may well answer.
        this.failures = { ...this.failures, [model]: { answers: this.#missing(model), message: messageOf(error) } };
      }
    }
  }

  async #askOne(index: number, signal: AbortSignal): Promise<void> {
    const model = this.run!.models[index]!;
    const policy = await this.open(
      model,
      (opening) => void (this.going = { model: index, opening, tokens: 0 }),
      signal,
    );
    try {
      const settings = await this.#settingsOf(index, policy);
      const run = this.run!;
      let tokens = 0;
      let shown = 0;
      const show = () => {
        const now = Date.now();
        // Summing up a great many answers takes its time.
        if (now - shown < SHOW_MS + this.#byKey.size / 10) return;
        shown = now;
        this.going = { model: index, opening: null, tokens };
        this.#show();
      };
      show();
      await evaluateMissing(
        policy,
        {
          exam: this.exam,
          k: run.k,
          request: settings,
          messages: model.toy ? bareMessages : ({ messages }) => messages,
          // On this machine one answer after the other is quickest.
          pace: isServerModel(model.id) ? run.pace : { concurrency: 1, per_minute: null },
          isDone: (slot) => this.#byKey.has(keyOf({ model: index, ...slot })),
          onAnswer: async (slot: Slot, answer: Answer) => {
            const stored: StoredAnswer = { model: index, ...slot, ...answer };
            await this.storage.saveAnswer(run.id, stored);
            this.#byKey.set(keyOf(stored), stored);
            show();
          },
          onToken: ({ text, notice }) => {
            if (text !== '') tokens++;
            if (notice && !this.notices.includes(notice)) this.notices = [...this.notices, notice];
            show();
          },
          onFailure: (_, error) => {
            const before = this.failures[index]?.answers ?? 0;
            this.failures = { ...this.failures, [index]: { answers: before + 1, message: messageOf(error) } };
          },
        },
        signal,
      );
    } finally {
      policy.close?.();
    }
  }

  /** What the model was asked with before, else what its makers recommend and the reader chose. */
  async #settingsOf(index: number, { sampling }: OpenChatModel): Promise<SamplingSettings> {
    const run = this.run!;
    const { label, toy, settings: known } = run.models[index]!;
    const recommended = recommendedSettings({ label, toy, ...(sampling && { sampling }) });
    const { temperature, top_p, max_tokens } = run.sampling;
    const settings: SamplingSettings = {
      ...recommended,
      ...(temperature !== undefined && { temperature }),
      ...(top_p !== undefined && { top_p }),
      ...(max_tokens !== undefined && { max_tokens }),
      seed: run.seed,
      ...known,
    };
    const models = run.models.map((each, i) => (i === index ? { ...each, settings: { ...settings } } : each));
    this.run = { ...run, updated: Date.now(), models };
    await this.storage.save(this.run);
    return settings;
  }

  #missing(model: number): number {
    let there = 0;
    for (const answer of this.#byKey.values()) if (answer.model === model) there++;
    return this.exam.length * this.run!.k - there;
  }

  #present(run: EvaluationRun | null, answers: readonly StoredAnswer[]): void {
    this.problem = '';
    this.failures = {};
    this.notices = [];
    this.exam = run ? buildProblems(run.source) : [];
    this.run = run;
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    this.#byKey = new Map(answers.map((answer) => [keyOf(answer), answer]));
    this.#show();
  }

  #show(): void {
    this.answers = [...this.#byKey.values()];
  }

  async #delete(id: string): Promise<void> {
    if (this.run?.id === id) await this.show(null);
    await this.storage.delete(id);
    this.runs = this.runs.filter((run) => run.id !== id);
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.problem = messageOf(error);
    }
  }
}

/** What was asked, in a few words. */
export function nameOf({ source, k }: EvaluationRun): string {
  const what =
    source.kind !== 'file'
      ? `${titleOf(source.task)}, difficulty ${source.difficulty}`
      : source.name.replace(/\.jsonl?$/i, '');
  const n = source.kind !== 'file' ? source.n : source.problems.length;
  return `${what}: ${n} ${n === 1 ? 'problem' : 'problems'}${k > 1 ? ` × ${k}` : ''}`;
}

/** Of a task; a stranger's name as it is. */
const titleOf = (task: string): string => allTasks.find(({ name }) => name === task)?.title ?? task;

const keyOf = ({ model, problem, sample }: Slot & { model: number }): string => `${model} ${problem} ${sample}`;
