/** @file The state of the Eval and Distil pages: the evaluation that is shown, and asking the models what is missing. */
import { messageOf } from '../../../../base/errors';
import { buildProblems, type EvalProblem } from '../../../../eval/problem-set';
import type { Slot } from '../../../../eval/evaluator';
import { t } from '../../../../i18n';
import type {
  EvaluatedModel,
  EvaluationRun,
  EvaluationStorage,
  StoredAnswer,
} from '../../../../storage/evaluation-storage';
import { activity } from '../../../shell/activity.svelte';
import type { OpenChatModel, OpenProgress } from '../../chat/models/open-models.svelte';
import { askModel, samplingSettings } from './ask-model';
import { EvaluationList } from './evaluation-list.svelte';

/** Milliseconds between two updates of the page. */
const UPDATE_MS = 250;

type Storage = Pick<EvaluationStorage, 'list' | 'get' | 'save' | 'saveAnswer' | 'answers' | 'delete' | 'unreadable'>;

/** Opens a model by its id. @throws Error with a message for the user */
export type OpenModel = (
  model: EvaluatedModel,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
) => Promise<OpenChatModel>;

/** What is happening now. */
export interface Progress {
  /** Index of the model that is asked. */
  model: number;
  /** Set while the model is being opened. */
  opening: OpenProgress | null;
  /** Tokens generated since the model was opened. */
  tokens: number;
}

/** Answers that a model failed to give. */
export interface Failure {
  answers: number;
  /** The last error, for the user. */
  message: string;
}

export type NewEvaluation = Pick<EvaluationRun, 'source' | 'k' | 'seed' | 'sampling' | 'pace'> & {
  models: readonly Pick<EvaluatedModel, 'id' | 'label' | 'toy'>[];
};

export class EvaluationState {
  run = $state.raw<EvaluationRun | null>(null);
  problems = $state.raw<readonly EvalProblem[]>([]);
  answers = $state.raw<readonly StoredAnswer[]>([]);
  /** Null while nothing is being asked. */
  progress = $state.raw<Progress | null>(null);
  /** What failed in the last attempt, by the index of the model. */
  failures = $state.raw<Readonly<Record<number, Failure>>>({});
  /** What the models or their servers had to say besides their answers. */
  notices = $state.raw<readonly string[]>([]);
  problem = $state('');
  readonly list: EvaluationList;
  /** By model, problem and sample. Nothing on the page depends on it. */
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  #byKey = new Map<string, StoredAnswer>();
  #abort: AbortController | null = null;
  #ended: Promise<void> = Promise.resolve();

  /** @param what names the work that a reload would interrupt */
  constructor(
    private readonly storage: Storage,
    private readonly open: OpenModel,
    private readonly newId: () => string = () => crypto.randomUUID(),
    private readonly what: string = t('eval:activity'),
  ) {
    this.list = new EvaluationList(storage, (id) => this.#attempt(() => this.#delete(id)));
  }

  /** Number of answers of the complete evaluation. */
  get total(): number {
    return this.run ? this.problems.length * this.run.k * this.run.models.length : 0;
  }

  get isDone(): boolean {
    return this.answers.length >= this.total;
  }

  load(): Promise<void> {
    return this.#attempt(() => this.list.load());
  }

  /** Shows a kept evaluation, or none. Stops what is in progress. */
  async show(id: string | null): Promise<void> {
    if (id !== null && id === this.run?.id) return;
    await this.stop();
    this.#present(null, []);
    if (id === null) return;
    await this.#attempt(async () => {
      const run = await this.storage.get(id);
      if (!run) throw new Error(t('eval:notHere'));
      this.#present(run, await this.storage.answers(id));
    });
  }

  /** Starts an evaluation. @returns its id; null when it can't be stored, which `problem` then says */
  async start(wanted: NewEvaluation): Promise<string | null> {
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
    let started = false;
    await this.#attempt(async () => {
      await this.storage.save(run);
      this.#present(run, []);
      started = true;
    });
    if (!started) return null;
    void this.load();
    void this.resume();
    return run.id;
  }

  /** Asks for the missing answers, one model after the other. Never rejects. */
  resume(): Promise<void> {
    if (!this.run || this.progress) return this.#ended;
    const abort = (this.#abort = new AbortController());
    this.failures = {};
    this.progress = { model: 0, opening: null, tokens: 0 };
    const end = activity.begin(this.what);
    return (this.#ended = this.#attempt(() => this.#askAll(abort.signal)).finally(() => {
      end();
      this.progress = null;
      this.#update();
    }));
  }

  /** Stops asking; the answers so far are kept. */
  async stop(): Promise<void> {
    this.#abort?.abort();
    await this.#ended;
  }

  async #askAll(signal: AbortSignal): Promise<void> {
    for (const model of this.run!.models.keys()) {
      if (signal.aborted) return;
      if (this.#missing(model) === 0) continue;
      this.progress = { model, opening: null, tokens: 0 };
      try {
        await this.#ask(model, signal);
      } catch (error) {
        if (signal.aborted) return;
        // The other models may still answer.
        this.failures = { ...this.failures, [model]: { answers: this.#missing(model), message: messageOf(error) } };
      }
    }
  }

  async #ask(index: number, signal: AbortSignal): Promise<void> {
    const onProgress = (opening: OpenProgress) => void (this.progress = { model: index, opening, tokens: 0 });
    const chatModel = await this.open(this.run!.models[index]!, onProgress, signal);
    try {
      const settings = samplingSettings(this.run!.models[index]!, chatModel, this.run!);
      const run = await this.#saveSettings(index, settings);
      let tokens = 0;
      let updated = 0;
      const update = () => {
        const now = Date.now();
        // Summarising many answers takes time, so the page is updated less often then.
        if (now - updated < UPDATE_MS + this.#byKey.size / 10) return;
        updated = now;
        this.progress = { model: index, opening: null, tokens };
        this.#update();
      };
      update();
      await askModel(
        {
          chatModel,
          model: run.models[index]!,
          run,
          problems: this.problems,
          settings,
          isDone: (slot) => this.#byKey.has(keyOf({ model: index, ...slot })),
          onAnswer: async (slot, answer) => {
            const stored: StoredAnswer = { model: index, ...slot, ...answer };
            await this.storage.saveAnswer(run.id, stored);
            this.#byKey.set(keyOf(stored), stored);
            update();
          },
          onToken: (text, notice) => {
            if (text !== '') tokens++;
            if (notice && !this.notices.includes(notice)) this.notices = [...this.notices, notice];
            update();
          },
          onFailure: (error) => {
            const before = this.failures[index]?.answers ?? 0;
            this.failures = { ...this.failures, [index]: { answers: before + 1, message: messageOf(error) } };
          },
        },
        signal,
      );
    } finally {
      chatModel.close?.();
    }
  }

  /** Keeps the settings of a model, so that the same are used after an interruption. */
  async #saveSettings(index: number, settings: EvaluatedModel['settings']): Promise<EvaluationRun> {
    const run = this.run!;
    const models = run.models.map((each, i) => (i === index ? { ...each, settings: { ...settings } } : each));
    this.run = { ...run, updated: Date.now(), models };
    await this.storage.save(this.run);
    return this.run;
  }

  /** The number of answers that a model has not given. */
  #missing(model: number): number {
    let given = 0;
    for (const answer of this.#byKey.values()) if (answer.model === model) given++;
    return this.problems.length * this.run!.k - given;
  }

  #present(run: EvaluationRun | null, answers: readonly StoredAnswer[]): void {
    this.problem = '';
    this.failures = {};
    this.notices = [];
    this.problems = run ? buildProblems(run.source) : [];
    this.run = run;
    // eslint-disable-next-line svelte/prefer-svelte-reactivity
    this.#byKey = new Map(answers.map((answer) => [keyOf(answer), answer]));
    this.#update();
  }

  #update(): void {
    this.answers = [...this.#byKey.values()];
  }

  async #delete(id: string): Promise<void> {
    if (this.run?.id === id) await this.show(null);
    await this.storage.delete(id);
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.problem = messageOf(error);
    }
  }
}

const keyOf = ({ model, problem, sample }: Slot & { model: number }): string => `${model} ${problem} ${sample}`;
