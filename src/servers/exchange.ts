/**
 * @file One request to a server and its answer, by plain fetch: no headers but the three that CORS settings know, no
 * cookies, no redirects, no silence without end, and a connection that closes when nobody reads it any more.
 */
import { abortError } from '../base/errors';
import { sleep } from '../base/sleep';
import * as v from 'valibot';
import { quoted, RemoteError, type RemoteErrorCode } from './errors';
import type { RemoteServer } from './server';

export interface ExchangeOptions {
  fetch?: typeof fetch;
  /** Milliseconds until the answer's head has to be there; a large model may be loaded first. */
  firstMs?: number;
  /** Milliseconds between bytes. A server's comments count: they are sent to show that it lives. */
  stallMs?: number;
  /** How often a request is sent again that the server put off. */
  retries?: number;
  /** Told as a sentence when something needs patience. */
  onNotice?: (notice: string) => void;
}

export const FIRST_MS = 600_000;
export const STALL_MS = 120_000;
const RETRIES = 3;
/** A server that wants more time than this gets none: the user may decide. In milliseconds. */
const LONGEST_WAIT = 30_000;
/** Of an answer that is read as a whole, in bytes. */
const MAX_JSON = 4_000_000;
const MAX_ERROR = 64_000;
/** What a server says of a refusal is not worth more, in milliseconds. */
const ERROR_MS = 5000;

export interface ExchangeInit {
  /** Sent as JSON by POST; without, GET. */
  body?: unknown;
  /** Sent by POST as it is, in place of `body`. */
  text?: { type: string; content: string };
  method?: 'PATCH';
  /** The last event that was received of a stream. */
  lastEventId?: string;
}

/** Somebody waits for it; ends by the caller's signal, by silence, or by `close`. */
export class Exchange {
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #stop: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stalled = false;
  response!: Response;

  private constructor(
    private readonly server: RemoteServer,
    private readonly options: ExchangeOptions,
    signal: AbortSignal,
  ) {
    this.#signal = signal;
    this.#stop = () => this.#abort.abort();
    if (signal.aborted) this.#stop();
    else signal.addEventListener('abort', this.#stop);
  }

  /**
   * Sends a request and waits for the head of a good answer. What the server puts off for a while it names (429 and 503
   * with Retry-After) is sent again: nothing has come of it yet.
   * @throws RemoteError; AbortError when the signal aborts
   */
  static async open(
    server: RemoteServer,
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
            `${server.label} sends on to another address, where nothing is sent from here. Give the address that it leads to.`,
            response.status || undefined,
          );
        }
        if (response.ok) return exchange;
        const wait = retryAfter(response);
        if (wait === null || wait > LONGEST_WAIT || tried >= (options.retries ?? RETRIES)) {
          throw await exchange.#refusal(wait);
        }
        options.onNotice?.(`${server.label} is busy and asked for ${Math.ceil(wait / 1000)} s of patience.`);
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
      throw this.#broken('unreachable', `${this.server.label} can't be reached at ${new URL(url).origin}.`);
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /**
   * The answer's bytes as they come. Closes the connection when the reader leaves early.
   * @throws RemoteError (truncated, stalled); AbortError
   */
  async *bytes(stallMs = () => this.options.stallMs ?? STALL_MS): AsyncGenerator<Uint8Array> {
    const reader = this.response.body?.getReader();
    if (!reader) return;
    try {
      for (;;) {
        this.#arm(stallMs());
        // A reader that takes its time is no silence.
        const { done, value } = await this.#unlessGivenUp(reader.read()).finally(() => clearTimeout(this.#timer));
        if (done) return;
        yield value;
      }
    } catch {
      throw this.#broken('truncated', `The answer of ${this.server.label} broke off: the connection was lost.`);
    } finally {
      reader.cancel().catch(() => {});
      this.close();
    }
  }

  /** The answer as JSON. @throws RemoteError; AbortError */
  async json(): Promise<unknown> {
    const text = await this.#text(MAX_JSON);
    if (text === null) throw new RemoteError('protocol', `${this.server.label} answered with more than fits here.`);
    const parsed = parseJson(text);
    if (parsed !== undefined) return parsed;
    throw this.notJson(text);
  }

  /** Why an answer that should have been JSON, or a stream of it, isn't. */
  notJson(text: string): RemoteError {
    const { label, url } = this.server;
    const isPage = /text\/html/i.test(this.response.headers.get('content-type') ?? '') || /^\s*<(?:!|html)/i.test(text);
    return isPage
      ? new RemoteError(
          'html',
          `${label} answered with a web page. ${url} is the address of a page or of a login, not of a model server.`,
          this.response.status,
        )
      : new RemoteError(
          'protocol',
          `${label} answered with something that no model server sends.`,
          this.response.status,
        );
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#stop);
    this.#abort.abort();
  }

  /** What was thrown, as what it means: the caller's will, silence, or `code`. */
  #broken(code: RemoteErrorCode, message: string): Error {
    if (this.#signal.aborted) return abortError('The request was cancelled.');
    if (this.#stalled) {
      return new RemoteError('stalled', `${this.server.label} has been silent for too long; the request was given up.`);
    }
    return new RemoteError(code, message);
  }

  /** Rejects as soon as the request has been given up: not everything that is waited for notices by itself. */
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
   * The whole body, within the time that its head may take; a trickle is no sign of life.
   * @returns null when it is longer
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

  /** @param wait what the server asked for, in milliseconds */
  async #refusal(wait: number | null): Promise<Error> {
    const { status } = this.response;
    let text = '';
    try {
      text = (await this.#text(MAX_ERROR, ERROR_MS)) ?? '';
    } catch (error) {
      // The status alone says enough, unless the caller has left.
      if (this.#signal.aborted) return error as Error;
    }
    if (status !== 401 && status !== 403 && this.notJson(text).code === 'html') return this.notJson(text);
    return refusal(this.server, status, errorText(parseJson(text)) ?? '', wait);
  }
}

/** What a status other than success means. @param said by the server, as it came */
export function refusal(server: RemoteServer, status: number, said: string, wait: number | null = null): RemoteError {
  const { label, key } = server;
  const clean = clarified(server, said);
  const detail = clean ? ` It says: ${clean}` : '';
  const later = wait === null ? 'Try again in a while.' : `It asks to wait ${Math.ceil(wait / 1000)} s.`;
  const of = (code: RemoteErrorCode, message: string) => new RemoteError(code, `${message}${detail}`, status);
  if (status === 401 || status === 403) {
    return of(
      'auth',
      key ? `${label} doesn't accept the key (HTTP ${status}).` : `${label} asks for a key (HTTP ${status}).`,
    );
  }
  if (status === 402) return of('payment', `The account at ${label} has no balance left.`);
  if (status === 429) return of('rate', `${label} takes no more requests for now (HTTP 429). ${later}`);
  if (status === 503 || status === 529) {
    return /load/i.test(said)
      ? of('overloaded', `${label} is still loading its model. Try again in a while.`)
      : of('overloaded', `${label} is overloaded or starting (HTTP ${status}). ${later}`);
  }
  if (status === 404 || status === 405) {
    return /model/i.test(said)
      ? of('model', `${label} doesn't have this model.`)
      : of('path', `${label} knows nothing at this path (HTTP ${status}). Check the address and the kind of server.`);
  }
  if (status === 413 || status === 414) return of('request', `The conversation is too long for ${label}.`);
  if (status >= 400 && status < 500) return of('request', `${label} doesn't take this request (HTTP ${status}).`);
  if (status === 502 || status === 504) {
    return of('unreachable', `What answers at ${server.url} can't reach the model server behind it (HTTP ${status}).`);
  }
  return of('server', `${label} failed (HTTP ${status}).`);
}

/** What a server said, as a part of a message: without control characters and without the key. */
export const clarified = (server: RemoteServer, said: string): string => {
  // Before the key is looked for, what could be hidden between its letters is taken out.
  const line = said.slice(0, 20_000).replace(/\p{Cf}+/gu, '');
  return quoted(server.key ? server.key.hideIn(line) : line);
};

/** undefined when it isn't JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const said = v.object({ message: v.string() });
/** All the ways in which servers say what went wrong. */
const errorShapes = v.union([
  // OpenAI, vLLM, llama.cpp, DeepSeek
  v.pipe(
    v.object({ error: said }),
    v.transform(({ error }) => error.message),
  ),
  // Ollama, TGI, transformers
  v.pipe(
    v.object({ error: v.string() }),
    v.transform(({ error }) => error),
  ),
  // FastAPI
  v.pipe(
    v.object({ detail: v.string() }),
    v.transform(({ detail }) => detail),
  ),
  v.pipe(
    v.object({ detail: v.array(v.object({ msg: v.string() })) }),
    v.transform(({ detail }) => detail.map(({ msg }) => msg).join('; ')),
  ),
  // SGLang
  v.pipe(
    said,
    v.transform(({ message }) => message),
  ),
]);

/** What an error object says; null for anything else. */
export function errorText(value: unknown): string | null {
  const parsed = v.safeParse(errorShapes, value);
  return parsed.success ? parsed.output : null;
}

/** Milliseconds that the server asks to wait; null when it doesn't, or when trying again would not be safe. */
function retryAfter({ status, headers }: Response): number | null {
  if (status !== 429 && status !== 503) return null;
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}
