/** @file The conversation on the page: sends questions to the chosen models, streams their answers into the tree, and saves it. */
import type {
  AnswerTurn,
  Column,
  Conversation,
  SamplingSettings,
  UserTurn,
  Verdict,
} from '../../../../storage/conversation';
import { messageOf } from '../../../../base/errors';
import { t } from '../../../../i18n';
import type { RecommendedSampling } from '../../../../runs/chat-model';
import { getTask } from '../../../../tasks';
import { activity } from '../../../shell/activity.svelte';
import { checkAnswer, type Example } from '../examples';
import { messagesFor, newConversation, withTurn, withVersion, leafOf } from '../history/conversation';
import type { ModelChoice } from '../models/models';
import type { OpenModels } from '../models/open-models.svelte';
import { AnswerDraft } from './answer-draft';
import { ConversationSaver } from './conversation-saver.svelte';

/** How often a growing answer is shown, and saved, in milliseconds. */
const SHOW_INTERVAL = 80;
const SAVE_INTERVAL = 5000;

/** A model to send a question to, and how. */
export interface ModelRequest {
  model: ModelChoice;
  /** Called again once the model is open, with what its makers recommend. */
  settings: (recommended?: RecommendedSampling) => SamplingSettings;
  /** Whether to report the most likely alternatives of each token. */
  alternatives: boolean;
}

export interface SessionParts {
  models: OpenModels;
  save(conversation: Conversation): Promise<void>;
  now?: () => number;
  newId?: () => string;
}

export class ChatSession {
  conversation = $state.raw<Conversation>(newConversation('', 0));
  /** The answer that is being written. Its turn in the tree lags behind. */
  live = $state.raw<AnswerTurn | null>(null);
  /** True from a question until its last answer has ended. */
  busy = $state(false);
  /** What just happened, for screen readers. */
  announcement = $state('');
  readonly #models: OpenModels;
  readonly #saver: ConversationSaver;
  readonly #now: () => number;
  readonly #newId: () => string;
  #abort: AbortController | null = null;

  constructor({ models, save, now, newId }: SessionParts) {
    this.#models = models;
    this.#saver = new ConversationSaver(save);
    this.#now = now ?? (() => performance.now());
    this.#newId = newId ?? (() => crypto.randomUUID());
    this.reset();
  }

  /** Why the conversation could not be saved; empty if it was. */
  get saveProblem(): string {
    return this.#saver.problem;
  }

  /** Shows another conversation, or a new one. An answer that is being written is stopped and saved. */
  reset(conversation?: Conversation): void {
    this.stop();
    this.conversation = conversation ?? newConversation(this.#newId(), Date.now());
    this.live = null;
    this.announcement = '';
  }

  /** Stops the answer. What there is of it is kept. */
  stop(): void {
    this.#abort?.abort();
  }

  /**
   * Sends a question at the end of the shown path, or as another version of `replaces`. The models answer one after the
   * other, so that each has the machine for itself. Never rejects.
   */
  async send(
    text: string,
    requests: readonly ModelRequest[],
    options: { example?: Example | null; replaces?: UserTurn } = {},
  ): Promise<void> {
    if (this.busy || text.trim() === '' || requests.length === 0) return;
    const { example, replaces } = options;
    const user: UserTurn = {
      id: this.#newId(),
      role: 'user',
      parent: replaces ? replaces.parent : leafOf(this.conversation),
      text,
      created: Date.now(),
      example: example ? { task: example.task.name, problem: example.problem } : null,
    };
    this.#update(withTurn(this.conversation, user, Date.now()));
    await this.#work(async (signal) => {
      for (const [i, request] of requests.entries()) await this.#answer(user, i as Column, request, signal);
    });
  }

  /** Answers a question again, as another version of the answer. */
  async regenerate(turn: AnswerTurn, request: ModelRequest): Promise<void> {
    const user = this.conversation.turns[turn.parent];
    if (this.busy || user?.role !== 'user') return;
    await this.#work((signal) => this.#answer(user, turn.column, request, signal));
  }

  /** Continues an answer that was stopped or cut off. */
  async continueAnswer(turn: AnswerTurn, request: ModelRequest): Promise<void> {
    const user = this.conversation.turns[turn.parent];
    if (this.busy || user?.role !== 'user') return;
    await this.#work((signal) => this.#answer(user, turn.column, request, signal, turn));
  }

  /** Shows the previous or next version of a turn. */
  showVersion(id: string, step: -1 | 1): void {
    if (!this.busy) this.#update(withVersion(this.conversation, id, step));
  }

  setSystem(system: string): void {
    if (system !== this.conversation.system) this.#update({ ...this.conversation, system });
  }

  rename(name: string): void {
    this.#update({ ...this.conversation, name: name.trim().slice(0, 200) || null });
  }

  /** Resolves when all changes are saved, or saving has failed. */
  saved(): Promise<void> {
    return this.#saver.idle();
  }

  async #work(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const abort = (this.#abort = new AbortController());
    this.busy = true;
    const end = activity.begin(t('chat:activity'));
    try {
      await work(abort.signal);
    } finally {
      end();
      this.busy = false;
      if (this.#abort === abort) this.#abort = null;
    }
  }

  async #answer(
    user: UserTurn,
    column: Column,
    request: ModelRequest,
    signal: AbortSignal,
    continues: AnswerTurn | null = null,
  ): Promise<void> {
    if (signal.aborted) return;
    // The page may show another conversation before the answer ends.
    const origin = this.conversation;
    const isShown = () => this.conversation.id === origin.id;
    const draft = new AnswerDraft({ id: this.#newId(), user, column, request, continues });
    const save = (turn: AnswerTurn): void => {
      const base = isShown() ? this.conversation : origin;
      this.#update(withTurn(base, turn, Date.now()), isShown());
    };
    const show = (): void => {
      if (isShown()) this.live = draft.turn();
    };
    // Saved as stopped: that is what it would be if the page were closed now.
    save({ ...draft.turn(), status: 'stopped' });
    show();
    this.announcement = t('chat:announce.answering', { model: request.model.label });
    let turn: AnswerTurn;
    try {
      const model = await this.#models.get(request.model, signal);
      draft.settings = request.settings(model.sampling);
      const start = this.#now();
      let lastShown = start;
      let lastSaved = start;
      for await (const token of model.generate(draft.generateRequest(messagesFor(origin, user.id, column)), signal)) {
        const now = this.#now();
        draft.push(token, now - start);
        if (draft.isFull) break;
        if (now - lastShown >= SHOW_INTERVAL) {
          show();
          lastShown = now;
        }
        if (now - lastSaved >= SAVE_INTERVAL) {
          save({ ...draft.turn(), status: 'stopped' });
          lastSaved = now;
        }
      }
      turn = draft.turn(signal.aborted ? 'stopped' : draft.outcome);
    } catch (error) {
      const message = messageOf(error);
      turn = signal.aborted ? draft.turn('stopped') : { ...draft.turn('failed'), error: message };
      // A model whose device was lost can't answer any more.
      if (!signal.aborted) this.#models.drop(request.model);
    }
    if (turn.status === 'done' && user.example) turn = { ...turn, verdict: verdictOn(user.example, turn.text) };
    save(turn);
    if (isShown()) this.live = null;
    this.announcement = announcementOf(turn);
  }

  /** @param visible false if the page shows another conversation, so that this one is only saved */
  #update(conversation: Conversation, visible = true): void {
    if (visible) this.conversation = conversation;
    if (Object.keys(conversation.turns).length > 0) this.#saver.add(conversation);
  }
}

function verdictOn(example: NonNullable<UserTurn['example']>, text: string): Verdict | null {
  try {
    return checkAnswer({ task: getTask(example.task), problem: example.problem }, text);
  } catch {
    // A task of another version, or a problem that somebody wrote by hand.
    return null;
  }
}

function announcementOf({ status, model: { label: model }, stats: { tokens: count }, error }: AnswerTurn): string {
  switch (status) {
    case 'failed':
      return t('chat:announce.failed', { model, error });
    case 'stopped':
      return t('chat:announce.stopped', { count });
    case 'length':
      return t('chat:announce.cutOff', { model, count });
    default:
      return t('chat:announce.answered', { model, count });
  }
}
