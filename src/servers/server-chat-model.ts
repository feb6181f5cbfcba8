/** @file A model on a server as a ChatModel: streamed as it comes, thoughts in `<think>…</think>`, and never a cut answer as a whole one. */
import type { GenerateRequest, ChatModel, ChatToken, RecommendedSampling, ServerReport } from '../runs/chat-model';
import { RemoteError } from './errors';
import { clarified, Exchange, refusal, type ExchangeOptions, STALL_MS } from './exchange';
import { jsonLines, serverSentEvents, type StreamEvent } from './lines';
import type { RemoteModel } from './models';
import { readChunk, readLine, type Piece, type Read } from './pieces';
import { refusedKey, requestBody, type Negotiable } from './request-body';
import { chatUrl, isOllama, KIND_NAMES, type RemoteServer } from './server';
import { ThoughtText } from './thought-text';

export interface ServerChatModelOptions extends ExchangeOptions {
  /**
   * The model's template opens the thoughts and the server sends them inside the text, so that the opening tag is
   * missing; guessed from the model's name where nothing is said.
   */
  opensThought?: boolean;
  /** Milliseconds for which signs of life alone are enough. */
  waitMs?: number;
}

const WAIT_MS = 1_800_000;
/** What may still come after the end of the answer: usage and `[DONE]`. In milliseconds. */
const AFTERWORD_MS = 3000;
/** Of an answer, in characters a token and for all: a server that goes on and on is left. */
const LONGEST_TOKEN = 256;
const LONGEST_ANSWER = 1_000_000;

/** Kinds that leave thoughts in the text. */
const INLINE: ReadonlySet<string> = new Set(['tgi', 'transformers', 'openai']);
const R1 = /deepseek-?r1|r1-distill/i;

export class ServerChatModel implements ChatModel {
  readonly name: string;
  readonly sampling?: RecommendedSampling;
  readonly #opens: boolean;
  /** What this server has refused for this model. */
  readonly #without = new Set<Negotiable>();

  constructor(
    private readonly server: RemoteServer,
    private readonly model: RemoteModel,
    private readonly options: ServerChatModelOptions = {},
  ) {
    this.name = model.id;
    // The model card's, of R1 and what was distilled from it.
    if (R1.test(model.id)) this.sampling = { temperature: 0.6, top_p: 0.95 };
    this.#opens = options.opensThought ?? (INLINE.has(server.kind) && R1.test(model.id));
  }

  /** @throws RemoteError with a message for the user; what came before it has been given out */
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
    const { exchange, ignored } = await this.#ask(request, notices, signal);
    if (ignored.length > 0) {
      notices.push(`${KIND_NAMES[this.server.kind]} takes no ${ignored.join(', no ')}: left out.`);
    }
    const thoughts = new ThoughtText(request.prefix, this.#opens);
    let first: Partial<ChatToken> = notices.length > 0 ? { notice: notices.join(' ') } : {};
    const report: ServerReport = {};
    let finish: 'stop' | 'length' | null = null;
    let written = 0;
    for await (const piece of this.#pieces(exchange)) {
      Object.assign(report, piece.report);
      if (finish) continue;
      const text = thoughts.push(piece.reasoning, piece.content);
      written += text.length;
      if (written > LONGEST_ANSWER + LONGEST_TOKEN * request.max_tokens) {
        exchange.close();
        throw new RemoteError(
          'protocol',
          `${this.server.label} sent far more than was asked for; the rest was not read.`,
        );
      }
      for (const token of tokensOf(piece, text)) {
        // What came with the last bytes counts no more. Returning closes the connection.
        if (signal.aborted) return;
        yield { ...first, ...token };
        first = {};
      }
      if (piece.finish) finish = this.#ending(piece.finish);
    }
    const last: ChatToken = { ...first, text: finish === 'length' ? '' : thoughts.end(), finish: finish ?? 'stop' };
    if (Object.keys(report).length > 0) last.server = report;
    const { prompt_tokens, completion_tokens } = report;
    if (this.model.context && prompt_tokens !== undefined) {
      // All that the model has in view now: how long the prompt was is known only at the end.
      const prompt = prompt_tokens + (completion_tokens ?? 0);
      const { cached_tokens: cached = 0, prompt_ms: prefill_ms = 0 } = report;
      last.context = { prompt, cached, length: this.model.context, prefill_ms };
    }
    yield last;
  }

  /** Sends the request, without what the server turns out not to take. */
  async #ask(request: GenerateRequest, notices: string[], signal: AbortSignal) {
    const options: ExchangeOptions = { ...this.options, onNotice: (notice) => notices.push(notice) };
    for (;;) {
      const { body, ignored } = requestBody(this.server.kind, this.model.id, request, this.#without);
      try {
        const exchange = await Exchange.open(this.server, chatUrl(this.server), { body }, options, signal);
        return { exchange, ignored };
      } catch (error) {
        const refused =
          error instanceof RemoteError && (error.status === 400 || error.status === 422)
            ? refusedKey(error.message, body)
            : null;
        // Nothing has been computed for a request that was refused. Each key is dropped once, so this ends.
        if (!refused || this.#without.has(refused)) throw error;
        this.#without.add(refused);
      }
    }
  }

  /** @throws RemoteError when the stream fails, or ends before the answer does */
  async *#pieces(exchange: Exchange): AsyncGenerator<Piece> {
    const { label, kind } = this.server;
    const type = exchange.response.headers.get('content-type') ?? '';
    const lines = isOllama(kind);
    if (/text\/html/i.test(type)) throw exchange.notJson('');
    if (/application\/json/i.test(type) && !lines) {
      // Some servers don't stream.
      const piece = this.#read(readChunk(JSON.stringify(await exchange.json())));
      yield piece;
      if (!piece.finish) throw this.#cutOff();
      return;
    }
    let ended = false;
    let since = Date.now();
    const { stallMs = STALL_MS, waitMs = WAIT_MS } = this.options;
    const bytes = exchange.bytes(() => (ended ? Math.min(AFTERWORD_MS, stallMs) : stallMs));
    const events: AsyncGenerator<StreamEvent> = lines ? jsonLines(bytes) : serverSentEvents(bytes);
    try {
      for await (const event of events) {
        if (event.kind === 'alive') {
          if (Date.now() - since <= waitMs) continue;
          throw new RemoteError('stalled', `${label} is alive but has written nothing for too long.`);
        }
        since = Date.now();
        if (event.kind === 'error') throw this.#failure(errorOf(event.data));
        if (!lines && event.data.trim() === '[DONE]') {
          ended = true;
          return;
        }
        const read = lines ? readLine(event.data) : readChunk(event.data);
        // What the end of the stream cut off is no error of the server's.
        if (read.kind === 'bad' && event.kind === 'data' && event.cut) break;
        if (read.kind === 'bad' && /^\s*<(?:!|html)/i.test(event.data)) throw exchange.notJson(event.data);
        const piece = this.#read(read);
        if (piece.finish) ended = true;
        yield piece;
        if (lines && ended) return;
      }
    } catch (error) {
      // The answer is whole; only what could still follow it is missing.
      if (!ended || !(error instanceof RemoteError) || !(error.code === 'truncated' || error.code === 'stalled'))
        throw error;
    } finally {
      exchange.close();
    }
    if (!ended) throw this.#cutOff();
  }

  #cutOff(): RemoteError {
    return new RemoteError(
      'truncated',
      `The answer of ${this.server.label} broke off before its end: the server stopped sending without saying that it was done.`,
    );
  }

  #read(read: Read): Piece {
    if (read.kind === 'piece') return read.piece;
    if (read.kind === 'failed') throw this.#failure(read.said);
    const { label, kind } = this.server;
    throw new RemoteError(
      'protocol',
      `${label} sent something that ${KIND_NAMES[kind]} doesn't send. Is it another kind of server?`,
    );
  }

  /** An error in a stream that began well. */
  #failure(said: string): RemoteError {
    const { label } = this.server;
    if (/rate.?limit|too many requests/i.test(said)) return refusal(this.server, 429, said);
    if (/overload/i.test(said)) return refusal(this.server, 503, said);
    const clean = clarified(this.server, said);
    return new RemoteError('server', `${label} failed while it answered.${clean ? ` It says: ${clean}` : ''}`);
  }

  /** @throws RemoteError when the answer ended, but not by itself */
  #ending(reason: string): 'stop' | 'length' {
    const { label } = this.server;
    if (/^(?:length|max_tokens|model_length)$/i.test(reason)) return 'length';
    if (/^(?:stop|eos|eos_token|stop_sequence|end_turn|tool_calls|function_call|load|unload)$/i.test(reason))
      return 'stop';
    if (/filter/i.test(reason)) throw new RemoteError('filtered', `A content filter of ${label} ended the answer.`);
    if (/insufficient/i.test(reason)) throw new RemoteError('overloaded', `${label} ran out of room for this answer.`);
    if (/abort|cancel/i.test(reason)) throw new RemoteError('server', `${label} gave this answer up.`);
    const clean = clarified(this.server, reason);
    throw new RemoteError('server', `${label} ended the answer for a reason that is not known here: ${clean}.`);
  }
}

function errorOf(data: string): string {
  const read = readChunk(`{"error":${data}}`);
  return read.kind === 'failed' ? read.said : data;
}

/** One token for each that the server tells apart, else one for the piece; none for a piece without text. */
function tokensOf({ tokens, reasoning, content }: Piece, text: string): ChatToken[] {
  if (text === '') return [];
  const [only] = tokens;
  if (tokens.length === 1 && only) return [{ text, ...probabilities(only) }];
  // Several at once: only if their texts are the piece's, around which the tags of thoughts may stand.
  const joined = tokens.map((token) => token.text).join('');
  const at = joined === '' || joined !== reasoning + content ? -1 : text.indexOf(joined);
  if (at < 0) return [{ text }];
  return tokens.map((token, i) => ({
    text:
      (i === 0 ? text.slice(0, at) : '') + token.text + (i === tokens.length - 1 ? text.slice(at + joined.length) : ''),
    ...probabilities(token),
  }));
}

function probabilities({ logprob, top }: Piece['tokens'][number]): Pick<ChatToken, 'logprob' | 'top'> {
  return top.length > 0 ? { logprob, top } : { logprob };
}
