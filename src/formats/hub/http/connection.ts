/**
 * @file One request whose body is read piece by piece, with a time limit on silence. Only headers that need no CORS
 * preflight are sent, because a CDN behind a redirect would refuse one.
 */
import { isAbortError, messageOf } from '../../../base/errors';
import { t } from '../../../i18n';
import { DownloadError } from './errors';
import { retryAfter } from './headers';
import type { HttpOptions } from './options';
import { TransientError } from './retry';

export interface Connection {
  response: Response;
  /** The next piece of the body. @throws TransientError when the connection breaks or stays silent */
  next(): Promise<{ done: true; value?: undefined } | { done: false; value: Uint8Array<ArrayBuffer> }>;
  /** Ends the request, even if more of the body was to come. */
  close(): void;
}

/** What to ask for. */
export interface Target {
  url: string;
  /** Names the file in messages. */
  path: string;
  /** A value for the Range header, such as `bytes=0-99`. */
  range?: string;
}

/** @throws TransientError when the server can't be reached */
export async function connect(
  { url, path, range }: Target,
  options: HttpOptions,
  signal?: AbortSignal,
): Promise<Connection> {
  const abort = new AbortController();
  const stop = () => abort.abort(signal?.reason);
  signal?.addEventListener('abort', stop);
  signal?.throwIfAborted();
  const { timeout = 60_000 } = options;
  /** Aborts a silent connection, so that whatever waits for it fails. */
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => abort.abort(), timeout);
    try {
      return await work;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TransientError && !abort.signal.aborted) throw error;
      const message = abort.signal.aborted
        ? t('models:http.silent', { path, count: Math.ceil(timeout / 1000) })
        : t('models:http.broken', { path, reason: reasonOf(error) });
      throw new TransientError(message, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
  const close = () => {
    signal?.removeEventListener('abort', stop);
    abort.abort();
  };
  try {
    // The browser's cache would keep a second copy, and delay a request while it writes an earlier one's part.
    const init: RequestInit = { ...(range && { headers: { range } }), signal: abort.signal, cache: 'no-store' };
    const response = await timed(fetchOrFail({ url, path }, options, init));
    const reader = response.body?.getReader();
    return {
      response,
      next: async () => {
        const { done, value } = reader ? await timed(reader.read()) : { done: true, value: undefined };
        return done || !value ? { done: true } : { done: false, value: value as Uint8Array<ArrayBuffer> };
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** @throws TransientError when there is no response at all */
export async function fetchOrFail(
  { url, path }: Target,
  { fetch: get = fetch }: HttpOptions,
  init: RequestInit,
): Promise<Response> {
  try {
    return await get(url, init);
  } catch (error) {
    if (isAbortError(error)) throw error;
    const message = t('models:http.unreachable', { path, host: hostOf(url), reason: reasonOf(error) });
    throw new TransientError(message, { cause: error });
  }
}

/** @throws TransientError for a status that may pass, DownloadError for any other failure */
export function checkStatus({ url, path }: Target, response: Response): void {
  if (response.ok) return;
  const { status } = response;
  const host = hostOf(url);
  if (status === 401 || status === 403) throw new DownloadError(t('models:http.loginNeeded', { path, host, status }));
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const error = new TransientError(t('models:http.busy', { path, host, status }));
    const after = retryAfter(response);
    if (after !== undefined) error.retryAfter = after;
    throw error;
  }
  throw new DownloadError(t('models:http.status', { url, status: `${status} ${response.statusText}`.trim() }));
}

const hostOf = (url: string) => new URL(url).host;

/** Node's fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { message?: string } } | null)?.cause?.message;
  return cause || messageOf(error);
}
