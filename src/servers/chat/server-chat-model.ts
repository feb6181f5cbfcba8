/**
 * @file A model on a server as a ChatModel: streamed as it comes, with its reasoning between `<think>` and `</think>`. An
 * answer that was cut off is never given as a whole one, and no text that arrived is dropped without a word.
 */
import { R1_SAMPLING } from '../../formats/recommended-sampling';
import type {
  ChatModel,
  ChatToken,
  ContextUse,
  GenerateRequest,
  RecommendedSampling,
  ServerReport,
} from '../../runs/chat-model';
import { t } from '../../i18n';
import { RemoteError } from '../errors';
import { clarified, Exchange, refusal, STALL_MS, type ExchangeOptions } from '../exchange';
import { modelServerKind } from '../kinds';
import type { ModelServerKind } from '../kinds/kind';
import type { RemoteModel } from '../models';
import { chatUrl, type RemoteServer } from '../server';
import { parseJson, streamEvents } from '../stream';
import { errorIn } from './error-text';
import { hasNews, type Frame } from './frame';
import { ReasoningTags } from './reasoning-tags';
import { refusedKey, type NegotiableKey } from './request-body';

export interface ServerChatModelOptions extends ExchangeOptions {
  /**
   * The model's template opens the reasoning itself and the server sends what follows as text, so that the opening tag is
   * missing. Guessed from the model's name when left out.
   */
  opensReasoning?: boolean;
  /** Milliseconds for which signs of life alone are enough. */
  waitMs?: number;
}

const WAIT_MS = 1_800_000;
/** Milliseconds to wait for what may follow the end of the answer: usage and `[DONE]`. */
const AFTER_END_MS = 3000;
/** Characters of an answer, per token that was asked for and in addition: a server that goes on and on is given up. */
const MAX_TOKEN = 256;
const MAX_ANSWER = 1_000_000;

const R1 = /deepseek-?r1|r1-distill/i;

export class ServerChatModel implements ChatModel {
  readonly name: string;
  readonly sampling?: RecommendedSampling;
  readonly #kind: ModelServerKind;
  readonly #opensReasoning: boolean;
  /** Keys that this server has refused for this model. */
  readonly #refused = new Set<NegotiableKey>();

  constructor(
    private readonly server: RemoteServer,
    private readonly model: RemoteModel,
    private readonly options: ServerChatModelOptions = {},
  ) {
    this.name = model.id;
    this.#kind = modelServerKind(server.kind);
    if (R1.test(model.id)) this.sampling = R1_SAMPLING;
    this.#opensReasoning = options.opensReasoning ?? (this.#kind.reasoningInText && R1.test(model.id));
  }

  /** @throws RemoteError with a message for the user; the text that came before it has been yielded */
  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
    if (signal.aborted) return;
    try {
      yield* this.#generate(request, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }

  async *#generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
    const notices: string[] = [];
    const { exchange, ignored } = await this.#send(request, notices, signal);
    if (ignored.length > 0) {
      notices.push(t('servers:chat.ignored', { kind: this.#kind.name, settings: ignored.join(', ') }));
    }
    const tags = new ReasoningTags(request.prefix, this.#opensReasoning);
    let first: Partial<ChatToken> = notices.length > 0 ? { notice: notices.join(' ') } : {};
    const report: ServerReport = {};
    const notShown = new Set<string>();
    let ending: Ending | null = null;
    let written = 0;
    for await (const frame of this.#frames(exchange)) {
      Object.assign(report, frame.report);
      for (const type of frame.notShown) notShown.add(type);
      const text = tags.push(frame.reasoning, frame.content);
      written += text.length;
      if (written > MAX_ANSWER + MAX_TOKEN * request.max_tokens) {
        exchange.close();
        throw new RemoteError('protocol', t('servers:chat.tooMuch', { server: this.server.label }));
      }
      for (const token of tokensOf(frame, text)) {
        // Once the reader has stopped, what came with the last bytes doesn't count. Returning closes the connection.
        if (signal.aborted) return;
        yield { ...first, ...token };
        first = {};
      }
      if (frame.error !== null) throw this.#failure(frame.error);
      if (frame.finish !== null) ending = this.#ending(frame.finish);
    }
    const last: ChatToken = {
      ...first,
      text: ending?.finish === 'length' ? '' : tags.end(),
      finish: ending?.finish ?? 'stop',
    };
    const notice = this.#lastNotice(last.notice, ending, notShown);
    if (notice) last.notice = notice;
    if (Object.keys(report).length > 0) last.server = report;
    const context = contextUse(report, this.model.context);
    if (context) last.context = context;
    yield last;
  }

  /** Sends the request, leaving out what the server turns out not to accept. */
  async #send(request: GenerateRequest, notices: string[], signal: AbortSignal) {
    const options: ExchangeOptions = { ...this.options, onNotice: (notice) => notices.push(notice) };
    for (;;) {
      const { body, ignored } = this.#kind.requestBody(this.model.id, request, this.#refused);
      try {
        const exchange = await Exchange.open(this.server, chatUrl(this.server), { body }, options, signal);
        return { exchange, ignored };
      } catch (error) {
        const refused =
          error instanceof RemoteError && (error.status === 400 || error.status === 422)
            ? refusedKey(error.message, body)
            : null;
        // Nothing has been computed for a request that was refused. Each key is dropped once, so this ends.
        if (!refused || this.#refused.has(refused)) throw error;
        this.#refused.add(refused);
      }
    }
  }

  /** @throws RemoteError when the stream fails, or ends before the answer does */
  async *#frames(exchange: Exchange): AsyncGenerator<Frame> {
    const { label } = this.server;
    const { stallMs = STALL_MS, waitMs = WAIT_MS } = this.options;
    let hasEnded = false;
    // Some servers give the reason of the end early, or with every event.
    let wroteAfterEnd = false;
    let since = Date.now();
    const isOver = () => hasEnded && !wroteAfterEnd;
    const bytes = exchange.bytes(() => (isOver() ? Math.min(AFTER_END_MS, stallMs) : stallMs));
    try {
      for await (const event of streamEvents(bytes)) {
        if (event.kind === 'foreign') throw exchange.notJson(event.text);
        if (event.kind === 'error') throw this.#failure(errorIn({ error: parseJson(event.data) }) ?? event.data);
        const frame = event.kind === 'alive' ? null : this.#kind.readFrame(event.data);
        if (event.kind === 'data' && !frame) {
          // What the end of the stream cut off is no error of the server's.
          if (event.cut) break;
          throw this.#notKnown(exchange, event.data);
        }
        if (!frame || !hasNews(frame)) {
          if (frame) yield frame;
          if (Date.now() - since <= waitMs) continue;
          throw new RemoteError('stalled', t('servers:chat.onlyAlive', { server: label }));
        }
        since = Date.now();
        if (hasEnded && (frame.reasoning !== '' || frame.content !== '')) wroteAfterEnd = true;
        if (frame.finish !== null) hasEnded = true;
        yield frame;
        if (frame.done) return;
      }
    } catch (error) {
      // The answer is whole; only what could still follow it is missing.
      const isMissing = error instanceof RemoteError && (error.code === 'truncated' || error.code === 'stalled');
      if (!isOver() || !isMissing) throw error;
    } finally {
      exchange.close();
    }
    if (!hasEnded) throw new RemoteError('truncated', t('servers:chat.cutOff', { server: label }));
  }

  #notKnown(exchange: Exchange, data: string): RemoteError {
    if (/^\s*<(?:!|html)/i.test(data)) return exchange.notJson(data);
    return new RemoteError(
      'protocol',
      t('servers:chat.notThisKind', { server: this.server.label, kind: this.#kind.name }),
    );
  }

  /** An error in a stream that began well. @param said in the server's own words */
  #failure(said: string): RemoteError {
    if (/rate.?limit|too many requests/i.test(said)) return refusal(this.server, 429, said);
    if (/overload/i.test(said)) return refusal(this.server, 503, said);
    const { label: server } = this.server;
    const detail = clarified(this.server, said);
    return new RemoteError(
      'server',
      detail ? t('servers:chat.failedSaying', { server, detail }) : t('servers:chat.failed', { server }),
    );
  }

  /** @throws RemoteError when the answer ended, but not by itself */
  #ending(reason: string): Ending {
    const { label: server } = this.server;
    if (/length|max_?(?:output_?)?tokens/i.test(reason)) return { finish: 'length' };
    if (
      /^(?:finish_reason_)?(?:stop|eos|eos_token|stop_sequence|end_turn|end|tool_calls|function_call|load|unload)$/i.test(
        reason,
      )
    )
      return { finish: 'stop' };
    if (/filter|safety/i.test(reason)) throw new RemoteError('filtered', t('servers:chat.filtered', { server }));
    if (/insufficient/i.test(reason)) throw new RemoteError('overloaded', t('servers:chat.noRoom', { server }));
    if (/abort|cancel/i.test(reason)) throw new RemoteError('server', t('servers:chat.aborted', { server }));
    if (/^error$/i.test(reason)) throw this.#failure('');
    // The text counts all the same, and the reader is told.
    return { finish: 'stop', unknown: clarified(this.server, reason) };
  }

  #lastNotice(before: string | undefined, ending: Ending | null, notShown: ReadonlySet<string>): string {
    const { label: server } = this.server;
    const types = [...notShown].map((type) => clarified(this.server, type)).join(', ');
    return [
      before,
      ending?.unknown && t('servers:chat.unknownEnding', { server, reason: ending.unknown }),
      types && t('servers:chat.notShown', { server, types }),
    ]
      .filter(Boolean)
      .join(' ');
  }
}

interface Ending {
  finish: 'stop' | 'length';
  /** The server's reason, where it isn't known here. */
  unknown?: string;
}

/** What the model has in its context now. How long the prompt was is known only at the end. */
function contextUse(report: ServerReport, length: number | undefined): ContextUse | null {
  const { prompt_tokens, completion_tokens = 0, cached_tokens: cached = 0, prompt_ms: prefill_ms = 0 } = report;
  if (!length || prompt_tokens === undefined) return null;
  return { prompt: prompt_tokens + completion_tokens, cached, length, prefill_ms };
}

/** One token for each that the server gives separately, otherwise one for the frame; none for a frame without text. */
function tokensOf({ tokens, reasoning, content }: Frame, text: string): ChatToken[] {
  if (text === '') return [];
  const [only] = tokens;
  if (tokens.length === 1 && only) return [{ text, ...probabilities(only) }];
  // Several at once: only if their texts are the frame's, around which the tags of reasoning may stand.
  const joined = tokens.map((token) => token.text).join('');
  const at = joined === '' || joined !== reasoning + content ? -1 : text.indexOf(joined);
  if (at < 0) return [{ text }];
  return tokens.map((token, i) => ({
    text:
      (i === 0 ? text.slice(0, at) : '') + token.text + (i === tokens.length - 1 ? text.slice(at + joined.length) : ''),
    ...probabilities(token),
  }));
}

function probabilities({ logprob, top }: Frame['tokens'][number]): Pick<ChatToken, 'logprob' | 'top'> {
  return top.length > 0 ? { logprob, top } : { logprob };
}
