/**
 * @file One request to a server and its answer, by plain fetch: only the three headers that CORS settings usually allow,
 * no cookies, no redirects, a limit to any silence, and a connection that closes when nobody reads it any more.
 */
import { abortError } from '../base/errors';
import { sleep } from '../base/sleep';
import { t } from '../i18n';
import { errorText, fieldProblems } from './chat/error-text';
import { quoted, RemoteError, type RemoteErrorCode } from './errors';
import type { RemoteServer } from './server';
import { parseJson } from './stream';

export interface ExchangeOptions {
  fetch?: typeof fetch;
  /** Milliseconds until the response's headers must have arrived. The server may load a large model first. */
  firstMs?: number;
  /** Milliseconds allowed between bytes. A server's comments count: it sends them to show that it is alive. */
  stallMs?: number;
  /** How often a request is sent again when the server asks to wait. */
  retries?: number;
  /** Called with a sentence for the user when something takes longer. */
  onNotice?: (notice: string) => void;
}

export const FIRST_MS = 600_000;
export const STALL_MS = 120_000;
const RETRIES = 3;
/** Milliseconds. When a server asks to wait longer than this, the user decides whether to try again. */
const LONGEST_WAIT = 30_000;
/** Bytes of an answer that is read as a whole. */
const MAX_JSON = 4_000_000;
const MAX_ERROR = 64_000;
/** Milliseconds to wait for the text of a refusal. */
const ERROR_MS = 5000;

export interface ExchangeInit {
  /** Sent as JSON by POST; without a body, the request is a GET. */
  body?: unknown;
  /** Sent by POST as it is, instead of `body`. */
  text?: { type: string; content: string };
  method?: 'PATCH' | 'DELETE';
  /** The number of the last event that was received, to continue a stream after it. */
  lastEventId?: string;
}

/** What a request needs to know of a server. */
export type Endpoint = Pick<RemoteServer, 'url' | 'label' | 'key'>;

/** Ends when the caller's signal aborts, when the server is silent for too long, or by `close`. */
export class Exchange {
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #stop: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stalled = false;
  response!: Response;

  private constructor(
    private readonly server: Endpoint,
    private readonly options: ExchangeOptions,
    signal: AbortSignal,
  ) {
    this.#signal = signal;
    this.#stop = () => this.#abort.abort();
    if (signal.aborted) this.#stop();
    else signal.addEventListener('abort', this.#stop);
  }

  /**
   * Sends a request and waits for the headers of a successful response. A request that the server asks to repeat later
   * (429 and 503 with Retry-After) is sent again after that time.
   * @throws RemoteError; AbortError when the signal aborts
   */
  static async open(
    server: Endpoint,
    url: string,
    init: ExchangeInit,
    options: ExchangeOptions,
    signal: AbortSignal,
  ): Promise<Exchange> {
    for (let tried = 0; ; tried++) {
      const exchange = new Exchange(server, options, signal);
      try {
        exchange.response = await exchange.#send(url, init);
        const { response } = exchange;
        if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
          throw new RemoteError(
            'redirect',
            t('servers:http.redirect', { server: server.label }),
            response.status || undefined,
          );
        }
        if (response.ok) return exchange;
        const wait = retryAfter(response);
        if (wait === null || wait > LONGEST_WAIT || tried >= (options.retries ?? RETRIES)) {
          throw await exchange.#refusal(wait);
        }
        options.onNotice?.(t('servers:http.busy', { server: server.label, seconds: Math.ceil(wait / 1000) }));
        exchange.close();
        await sleep(wait, signal);
      } catch (error) {
        exchange.close();
        throw error;
      }
    }
  }

  async #send(url: string, { body, text, method, lastEventId }: ExchangeInit): Promise<Response> {
    this.#arm(this.options.firstMs ?? FIRST_MS);
    try {
      const headers: Record<string, string> = { ...this.server.key?.headersFor(url) };
      if (body !== undefined) headers['Content-Type'] = 'application/json';
      if (text) headers['Content-Type'] = text.type;
      if (lastEventId !== undefined) headers['Last-Event-ID'] = lastEventId;
      const request: RequestInit = {
        method: method ?? (body === undefined && !text ? 'GET' : 'POST'),
        headers,
        signal: this.#abort.signal,
        redirect: 'manual',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        cache: 'no-store',
      };
      if (body !== undefined) request.body = JSON.stringify(body);
      if (text) request.body = text.content;
      return await this.#unlessGivenUp((this.options.fetch ?? fetch)(url, request));
    } catch {
      throw this.#broken(
        'unreachable',
        t('servers:http.unreachable', { server: this.server.label, origin: new URL(url).origin }),
      );
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /**
   * The response's bytes as they come. Closes the connection when the consumer stops early.
   * @throws RemoteError (truncated, stalled); AbortError
   */
  async *bytes(stallMs = () => this.options.stallMs ?? STALL_MS): AsyncGenerator<Uint8Array> {
    const reader = this.response.body?.getReader();
    if (!reader) return;
    try {
      for (;;) {
        this.#arm(stallMs());
        // Do not time out while the consumer is busy.
        const { done, value } = await this.#unlessGivenUp(reader.read()).finally(() => clearTimeout(this.#timer));
        if (done) return;
        yield value;
      }
    } catch {
      throw this.#broken('truncated', t('servers:http.connectionLost', { server: this.server.label }));
    } finally {
      reader.cancel().catch(() => {});
      this.close();
    }
  }

  /** The response as JSON. @throws RemoteError; AbortError */
  async json(): Promise<unknown> {
    const text = await this.#text(MAX_JSON);
    if (text === null) throw new RemoteError('protocol', t('servers:http.tooLong', { server: this.server.label }));
    const parsed = parseJson(text);
    if (parsed !== undefined) return parsed;
    throw this.notJson(text);
  }

  /** The error for a response that should have been JSON, or a stream of it, and isn't. */
  notJson(text: string): RemoteError {
    const { label, url } = this.server;
    const isPage = /text\/html/i.test(this.response.headers.get('content-type') ?? '') || /^\s*<(?:!|html)/i.test(text);
    return isPage
      ? new RemoteError('html', t('servers:http.webPage', { server: label, url }), this.response.status)
      : new RemoteError('protocol', t('servers:http.notJson', { server: label }), this.response.status);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#stop);
    this.#abort.abort();
  }

  /** The error for a request that ended early: cancelled by the caller, given up after a silence, or `code`. */
  #broken(code: RemoteErrorCode, message: string): Error {
    if (this.#signal.aborted) return abortError(t('servers:http.cancelled'));
    if (this.#stalled) return new RemoteError('stalled', t('servers:http.silent', { server: this.server.label }));
    return new RemoteError(code, message);
  }

  /** Rejects as soon as the request has been given up, since not every promise notices that by itself. */
  #unlessGivenUp<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      const stop = () => reject(abortError());
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    });
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#stalled = true;
      this.#abort.abort();
    }, ms);
  }

  /**
   * The whole body. All of it must arrive within `withinMs`, so that a trickle of bytes doesn't keep it waiting for ever.
   * @returns null when it is longer than `limit` bytes
   */
  async #text(limit: number, withinMs = this.options.firstMs ?? FIRST_MS): Promise<string | null> {
    const end = Date.now() + withinMs;
    const left = () => Math.max(0, Math.min(this.options.stallMs ?? STALL_MS, end - Date.now()));
    const decoder = new TextDecoder();
    let text = '';
    let bytes = 0;
    for await (const piece of this.bytes(left)) {
      bytes += piece.length;
      if (bytes > limit) return null;
      text += decoder.decode(piece, { stream: true });
    }
    return text + decoder.decode();
  }

  /** @param wait milliseconds that the server asked to wait */
  async #refusal(wait: number | null): Promise<Error> {
    const { status } = this.response;
    let text = '';
    try {
      text = (await this.#text(MAX_ERROR, ERROR_MS)) ?? '';
    } catch (error) {
      // The status alone says enough, unless the caller has cancelled.
      if (this.#signal.aborted) return error as Error;
    }
    if (status !== 401 && status !== 403 && this.notJson(text).code === 'html') return this.notJson(text);
    const json = parseJson(text);
    const fields = fieldProblems(json).map(({ field, message }) => ({
      field,
      message: clarified(this.server, message),
    }));
    const { code, message } = refusal(this.server, status, errorText(json) ?? '', wait);
    return new RemoteError(code, message, status, fields);
  }
}

/** The error for a status other than success. @param said the server's own words, as they came */
export function refusal(server: Endpoint, status: number, said: string, wait: number | null = null): RemoteError {
  const { label, key } = server;
  const clean = clarified(server, said);
  const values = { server: label, status };
  const later =
    wait === null ? t('servers:http.tryLater') : t('servers:http.askedToWait', { seconds: Math.ceil(wait / 1000) });
  const of = (code: RemoteErrorCode, ...sentences: string[]) =>
    new RemoteError(
      code,
      [...sentences, clean && t('servers:http.says', { detail: clean })].filter(Boolean).join(' '),
      status,
    );
  if (status === 401 || status === 403) {
    return of('auth', key ? t('servers:http.wrongKey', values) : t('servers:http.needsKey', values));
  }
  if (status === 402) return of('payment', t('servers:http.noBalance', values));
  if (status === 429) return of('rate', t('servers:http.rateLimited', values), later);
  if (status === 503 || status === 529) {
    return /load/i.test(said)
      ? of('overloaded', t('servers:http.loading', values))
      : of('overloaded', t('servers:http.overloaded', values), later);
  }
  if (status === 404 || status === 405) {
    return /model/i.test(said)
      ? of('model', t('servers:http.noModel', values))
      : of('path', t('servers:http.noPath', values));
  }
  if (status === 413 || status === 414) return of('request', t('servers:http.conversationTooLong', values));
  if (status >= 400 && status < 500) return of('request', t('servers:http.refused', values));
  if (status === 502 || status === 504) {
    return of('unreachable', t('servers:http.badGateway', { ...values, url: server.url }));
  }
  return of('server', t('servers:http.failed', values));
}

/** A server's own words as a part of a message: one line without control characters, and without the key. */
export const clarified = (server: Endpoint, said: string): string => {
  // Invisible characters could hide the key from the search, so they go first.
  const line = said.slice(0, 20_000).replace(/\p{Cf}+/gu, '');
  return quoted(server.key ? server.key.hideIn(line) : line);
};

/** Milliseconds that the server asks to wait; null when it doesn't, or when trying again wouldn't be safe. */
function retryAfter({ status, headers }: Response): number | null {
  if (status !== 429 && status !== 503) return null;
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}
