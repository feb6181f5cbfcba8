/** @file The conversation on the page: asks the chosen models, streams their answers into the tree, and keeps it. */
import { messageOf } from '../../../../base/errors';
import type { ChatToken, RecommendedSampling } from '../../../../runs/chat-model';
import { activity } from '../../../shell/activity.svelte';
import type { AnswerTurn, Column, Conversation, TokenRecord, UserTurn } from '../../../../storage/conversation';
import { messagesFor, newConversation, withTurn, withVersion, leafOf } from '../history/conversation';
import { judge, type Example } from '../examples';
import type { ModelChoice } from '../models/models';
import type { OpenModels } from '../models/open-models.svelte';
import type { SamplingSettings } from '../../../../storage/conversation';
import { AnswerMeter, noStats } from './stats';
import { ThoughtMeter } from '../../../../tasks/answers/thought-meter';
import { getTask } from '../../../../tasks';

/** How often a growing answer is shown, and kept, in milliseconds. */
const SHOW_MS = 80;
const KEEP_MS = 5000;

export interface Ask {
  model: ModelChoice;
  /** Asked for once the model is open, and says what its makers recommend. */
  settings: (recommended?: RecommendedSampling) => SamplingSettings;
  /** Whether to report the likeliest alternatives of each token. */
  alternatives: boolean;
}

export interface SessionParts {
  models: OpenModels;
  save(conversation: Conversation): Promise<void>;
  now?: () => number;
  newId?: () => string;
}

/** How many alternatives are asked for. */
const ALTERNATIVES = 5;

export class ChatSession {
  conversation = $state.raw<Conversation>(newConversation('', 0));
  /** The answer that is being written, as it stands; its turn in the tree is behind. */
  live = $state.raw<AnswerTurn | null>(null);
  /** From asking until the last answer has ended. */
  busy = $state(false);
  /** Why the conversation is not kept; empty when it is. */
  saveProblem = $state('');
  /** Of the last answers, for those who can't see them. */
  news = $state('');
  readonly #parts: SessionParts;
  readonly #now: () => number;
  readonly #newId: () => string;
  #abort: AbortController | null = null;
  #saving: Promise<void> = Promise.resolve();
  // Nothing on the page depends on it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  readonly #unsaved = new Map<string, Conversation>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
    this.#newId = parts.newId ?? (() => crypto.randomUUID());
    this.reset();
  }

  /** Shows another conversation, or a new one. An answer under way ends and is kept. */
  reset(conversation?: Conversation): void {
    this.stop();
    this.conversation = conversation ?? newConversation(this.#newId(), Date.now());
    this.live = null;
    this.news = '';
  }

  /** Ends what is under way and keeps what there is of it. */
  stop(): void {
    this.#abort?.abort();
  }

  /**
   * Asks a question at the end of the path that is shown, or as another version of `replaces`; one model after the other,
   * so that each has the machine for itself. Never rejects.
   */
  async ask(text: string, asks: readonly Ask[], options: { example?: Example | null; replaces?: UserTurn } = {}) {
    if (this.busy || text.trim() === '' || asks.length === 0) return;
    const { example, replaces } = options;
    const user: UserTurn = {
      id: this.#newId(),
      role: 'user',
      parent: replaces ? replaces.parent : leafOf(this.conversation),
      text,
      created: Date.now(),
      example: example ? { task: example.task.name, problem: example.problem } : null,
    };
    this.#change(withTurn(this.conversation, user, Date.now()));
    await this.#run((signal) => this.#each(asks, (ask, i) => this.#answer(user, i as Column, ask, signal)));
  }

  /** Answers a question once more, as another version. */
  async again(turn: AnswerTurn, ask: Ask): Promise<void> {
    const user = this.conversation.turns[turn.parent];
    if (this.busy || user?.role !== 'user') return;
    await this.#run((signal) => this.#answer(user, turn.column, ask, signal));
  }

  /** Goes on with an answer that was stopped or cut off. */
  async goOn(turn: AnswerTurn, ask: Ask): Promise<void> {
    const user = this.conversation.turns[turn.parent];
    if (this.busy || user?.role !== 'user') return;
    await this.#run((signal) => this.#answer(user, turn.column, ask, signal, turn));
  }

  /** Shows the version before or after a turn. */
  turnTo(id: string, step: -1 | 1): void {
    if (!this.busy) this.#change(withVersion(this.conversation, id, step));
  }

  setSystem(system: string): void {
    if (system !== this.conversation.system) this.#change({ ...this.conversation, system });
  }

  rename(name: string): void {
    this.#change({ ...this.conversation, name: name.trim().slice(0, 200) || null });
  }

  /** Resolves when all that was to be kept is. */
  saved(): Promise<void> {
    return this.#saving;
  }

  async #each(asks: readonly Ask[], answer: (ask: Ask, index: number) => Promise<void>): Promise<void> {
    for (const [i, ask] of asks.entries()) await answer(ask, i);
  }

  async #run(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const abort = (this.#abort = new AbortController());
    this.busy = true;
    const end = activity.begin('an answer');
    try {
      await work(abort.signal);
    } finally {
      end();
      this.busy = false;
      if (this.#abort === abort) this.#abort = null;
    }
  }

  async #answer(user: UserTurn, column: Column, ask: Ask, signal: AbortSignal, before?: AnswerTurn): Promise<void> {
    if (signal.aborted) return;
    const home = this.conversation;
    const draft = new Draft(user, column, ask, before ?? null, this.#newId());
    /** The turn as it stands, into the tree it was asked in; the page may show another one by now. */
    const keep = (turn: AnswerTurn): void => {
      const base = this.conversation.id === home.id ? this.conversation : home;
      this.#change(withTurn(base, turn, Date.now()), base === this.conversation);
    };
    const show = (): void => {
      if (this.conversation.id === home.id) this.live = draft.turn();
    };
    keep({ ...draft.turn(), status: 'stopped' });
    show();
    this.news = `${ask.model.label} is answering.`;
    let turn: AnswerTurn;
    try {
      const policy = await this.#parts.models.get(ask.model, signal);
      draft.settings = ask.settings(policy.sampling);
      const start = this.#now();
      let shown = start;
      let kept = start;
      for await (const token of policy.generate(draft.request(messagesFor(home, user.id, column)), signal)) {
        const now = this.#now();
        draft.push(token, now - start);
        if (now - shown >= SHOW_MS) {
          show();
          shown = now;
        }
        if (now - kept >= KEEP_MS) {
          keep({ ...draft.turn(), status: 'stopped' });
          kept = now;
        }
      }
      turn = draft.turn(signal.aborted ? 'stopped' : draft.ending());
    } catch (error) {
      const message = messageOf(error);
      turn = signal.aborted ? draft.turn('stopped') : { ...draft.turn('failed'), error: message };
      // A policy whose device was lost answers nothing any more.
      if (!signal.aborted) this.#parts.models.drop(ask.model);
    }
    if (turn.status === 'done' && user.example) turn = { ...turn, verdict: verdictOn(user.example, turn.text) };
    keep(turn);
    if (this.conversation.id === home.id) this.live = null;
    this.news = newsOf(turn);
  }

  /** @param visible false: only kept, because the page shows another conversation */
  #change(conversation: Conversation, visible = true): void {
    if (visible) this.conversation = conversation;
    if (Object.keys(conversation.turns).length === 0) return;
    this.#unsaved.set(conversation.id, conversation);
    this.#saving = this.#saving
      .then(() => this.#saveNewest(conversation.id))
      .then(
        () => void (this.saveProblem = ''),
        (error: unknown) => void (this.saveProblem = messageOf(error)),
      );
  }

  /** Changes that came while another was being saved are saved as one. */
  async #saveNewest(id: string): Promise<void> {
    const newest = this.#unsaved.get(id);
    this.#unsaved.delete(id);
    if (newest) await this.#parts.save(newest);
  }
}

/** An answer while it is written. */
class Draft {
  readonly #base: AnswerTurn;
  settings: SamplingSettings;
  readonly #alternatives: boolean;
  readonly #prefix: string;
  readonly #meter: AnswerMeter;
  readonly #thought = new ThoughtMeter();
  readonly #tokens: TokenRecord[];
  readonly #notices: string[];
  /** Of the answer up to where it was stopped, which the clock goes on from. */
  readonly #msBefore: number;
  #text: string;
  #finish: ChatToken['finish'];
  #count = 0;

  constructor(user: UserTurn, column: Column, ask: Ask, before: AnswerTurn | null, id: string) {
    this.settings = ask.settings();
    this.#alternatives = ask.alternatives;
    this.#base = before ?? {
      id,
      role: 'assistant',
      parent: user.id,
      column,
      created: Date.now(),
      model: { id: ask.model.id, label: ask.model.label },
      settings: this.settings,
      text: '',
      tokens: [],
      status: 'streaming',
      error: '',
      notices: [],
      thought: null,
      stats: noStats,
      verdict: null,
    };
    this.#text = this.#prefix = this.#base.text;
    this.#tokens = [...this.#base.tokens];
    this.#notices = [...this.#base.notices];
    this.#meter = new AnswerMeter(this.#base.stats);
    this.#msBefore = this.#base.stats.total_ms;
    for (const { text } of this.#tokens) this.#thought.push(text, this.#base.thought?.ms ?? this.#msBefore);
  }

  request(messages: ReturnType<typeof messagesFor>) {
    return {
      messages,
      ...this.settings,
      ...(this.#prefix === '' ? {} : { prefix: this.#prefix }),
      ...(this.#alternatives ? { top_logprobs: ALTERNATIVES } : {}),
    };
  }

  push(token: ChatToken, ms: number): void {
    if (token.context) this.#meter.context(token.context);
    if (token.notice && !this.#notices.includes(token.notice)) this.#notices.push(token.notice);
    if (token.finish) this.#finish = token.finish;
    // The last one may only say how the answer ended.
    if (token.text === '' && token.finish) return;
    this.#count++;
    this.#text += token.text;
    this.#meter.token(ms);
    this.#thought.push(token.text, this.#msBefore + ms);
    const record: TokenRecord = { text: token.text, logprob: finite(token.logprob) };
    const top = token.top?.filter(({ logprob }) => Number.isFinite(logprob));
    if (top?.length) record.top = top;
    this.#tokens.push(record);
  }

  /** How an answer ended that wasn't stopped. */
  ending(): 'done' | 'length' {
    return (this.#finish ?? (this.#count >= this.settings.max_tokens ? 'length' : 'stop')) === 'length'
      ? 'length'
      : 'done';
  }

  turn(status: AnswerTurn['status'] = 'streaming'): AnswerTurn {
    return {
      ...this.#base,
      settings: this.settings,
      text: this.#text,
      tokens: this.#tokens.slice(),
      notices: this.#notices.slice(),
      thought: this.#thought.size,
      stats: this.#meter.stats,
      status,
      error: '',
      verdict: null,
    };
  }
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? Math.min(0, value) : null;

function verdictOn(example: NonNullable<UserTurn['example']>, text: string) {
  try {
    return judge({ task: getTask(example.task), problem: example.problem }, text);
  } catch {
    // A task of another version, or a problem that somebody wrote by hand.
    return null;
  }
}

function newsOf({ status, model, stats, error }: AnswerTurn): string {
  const size = `${stats.tokens} ${stats.tokens === 1 ? 'token' : 'tokens'}`;
  if (status === 'failed') return `${model.label} failed: ${error}`;
  if (status === 'stopped') return `Stopped after ${size}.`;
  return `${model.label} answered with ${size}${status === 'length' ? ' and was cut off' : ''}.`;
}
