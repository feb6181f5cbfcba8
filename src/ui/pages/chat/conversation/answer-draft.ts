/** @file An answer while it is being written: collects its tokens, and measures speed and thinking time. */
import { t } from '../../../../i18n';
import { MAX_ANSWER_TEXT, MAX_ANSWER_TOKENS } from '../../../../storage/conversation-schema';
import type { AnswerTurn, Column, SamplingSettings, TokenRecord, UserTurn } from '../../../../storage/conversation';
import type { ChatToken, GenerateRequest } from '../../../../runs/chat-model';
import { ThoughtMeter } from '../../../../tasks/answers/thought-meter';
import type { ModelRequest } from './chat-session.svelte';
import { AnswerMeter, noStats } from './stats';

/** How many alternatives are requested for each token. */
const ALTERNATIVES = 5;

interface DraftStart {
  id: string;
  user: UserTurn;
  column: Column;
  request: ModelRequest;
  /** The answer to continue; null to start a new one. */
  continues: AnswerTurn | null;
}

export class AnswerDraft {
  settings: SamplingSettings;
  readonly #base: AnswerTurn;
  readonly #alternatives: boolean;
  readonly #prefix: string;
  readonly #meter: AnswerMeter;
  readonly #thought = new ThoughtMeter();
  readonly #tokens: TokenRecord[];
  readonly #notices: string[];
  /** Time that the answer took before it was continued, in milliseconds. */
  readonly #msBefore: number;
  #text: string;
  #finish: ChatToken['finish'];
  #isFull = false;
  #count = 0;

  constructor({ id, user, column, request, continues }: DraftStart) {
    this.settings = request.settings();
    this.#alternatives = request.alternatives;
    this.#base = continues ?? {
      id,
      role: 'assistant',
      parent: user.id,
      column,
      created: Date.now(),
      model: { id: request.model.id, label: request.model.label },
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

  generateRequest(messages: GenerateRequest['messages']): GenerateRequest {
    return {
      messages,
      ...this.settings,
      ...(this.#prefix === '' ? {} : { prefix: this.#prefix }),
      ...(this.#alternatives ? { top_logprobs: ALTERNATIVES } : {}),
    };
  }

  /** @param ms since the request was sent */
  push(token: ChatToken, ms: number): void {
    if (token.context) this.#meter.context(token.context);
    if (token.notice && !this.#notices.includes(token.notice)) this.#notices.push(token.notice);
    if (token.finish) this.#finish = token.finish;
    // The last token may only say how the answer ended.
    if (token.text === '' && token.finish) return;
    if (this.#text.length + token.text.length > MAX_ANSWER_TEXT || this.#tokens.length >= MAX_ANSWER_TOKENS) {
      this.#isFull = true;
      this.#finish = 'length';
      const notice = t('chat:answer.full');
      if (!this.#notices.includes(notice)) this.#notices.push(notice);
      return;
    }
    this.#count++;
    this.#text += token.text;
    this.#meter.token(ms);
    this.#thought.push(token.text, this.#msBefore + ms);
    const record: TokenRecord = { text: token.text, logprob: finiteLogprob(token.logprob) };
    const top = token.top?.filter(({ logprob }) => Number.isFinite(logprob));
    if (top?.length) record.top = top;
    this.#tokens.push(record);
  }

  /** Longer than this, it could not be saved and read again. The last token was left out. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** How an answer ended that wasn't stopped. */
  get outcome(): 'done' | 'length' {
    const reachedLimit = this.#count >= this.settings.max_tokens;
    return (this.#finish ?? (reachedLimit ? 'length' : 'stop')) === 'length' ? 'length' : 'done';
  }

  /** The answer so far. */
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

const finiteLogprob = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? Math.min(0, value) : null;
