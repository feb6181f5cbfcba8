/**
 * @file A file on a web server, read by byte ranges (RFC 9110, section 14) and held to what was said of it before. What
 * may pass by itself (broken connections, 429, 5xx) is tried again from the last byte that came; everything else ends
 * in an error for the user.
 *
 * Only headers that need no CORS preflight are sent: a CDN behind a redirect would refuse one. A changed file is
 * noticed by its ETag and length instead of `If-Range`, where the server lets a page read them.
 */
import { sleep } from '../../base/sleep';
import { isAbortError, messageOf } from '../../base/errors';
import type { RangedFile } from '../files/model-files';

/** The server can't give this file, and trying again would not help. */
export class DownloadError extends Error {
  override name = 'DownloadError';
}

/** The file is gone, or isn't the one that was announced: what came of it is of no use. */
export class WrongFileError extends DownloadError {
  override name = 'WrongFileError';
}

/** The connection stayed broken through all retries. What came so far is good; going on later may work. */
export class ConnectionError extends Error {
  override name = 'ConnectionError';
}

export interface HttpOptions {
  fetch?: typeof fetch;
  /** Told as a sentence when something needs patience: a retry, a server without ranges. */
  onNotice?: (notice: string) => void;
  /** Milliseconds before the first retry; doubles with each. */
  backoff?: number;
  /** Milliseconds without a byte after which a connection counts as broken. */
  patience?: number;
}

export interface KnownFile {
  /** For messages and as the name. */
  path: string;
  bytes: number;
  /** The ETag it had, where it is known and nothing better identifies the content. */
  version?: string;
}

/** In a row, without a byte in between. */
const MAX_FAILURES = 6;
const MAX_WAIT = 60_000;

/** A file of which the size is known, as from the Hub's listing. Nothing is asked of the server before the first read. */
export function urlFile(url: string, known: KnownFile, options: HttpOptions = {}): RangedFile {
  return {
    name: known.path,
    size: known.bytes,
    read: (begin, end, signal) => readRange(url, known, begin, end, options, signal),
  };
}

export interface FoundFile {
  file: KnownFile;
  /** Whether the server gives ranges; without, a break means starting over. */
  ranges: boolean;
}

/**
 * Asks for a file's size, and whether ranges of it can be had. null for 404, and for a web page where none was asked for.
 * @throws DownloadError, ConnectionError
 */
export async function findUrlFile(
  url: string,
  path: string,
  options: HttpOptions = {},
  signal?: AbortSignal,
): Promise<FoundFile | null> {
  return withRetries(options, signal, async () => {
    const connection = await connect(url, path, 'bytes=0-0', options, signal);
    try {
      const { response } = connection;
      if (response.status === 404 || (response.ok && isWebPage(response))) return null;
      refuseStatus(url, path, response);
      const ranges = response.status === 206;
      const plain = !response.headers.get('content-encoding');
      const bytes = ranges ? contentRange(response)?.total : plain ? contentLength(response) : undefined;
      const version = versionOf(response);
      const file = { path, ...(version !== undefined && { version }) };
      if (bytes !== undefined) return { file: { ...file, bytes }, ranges };
      // A server that doesn't let the page read Content-Range may still let it read a whole answer's length.
      const head = await fetchOr(url, path, options, { method: 'HEAD', ...(signal && { signal }) });
      const length = head.ok ? contentLength(head) : undefined;
      if (length === undefined) {
        throw new DownloadError(
          `${url} doesn't say how long it is. A server for models must send Content-Length, and let other sites read Content-Range and ETag (Access-Control-Expose-Headers).`,
        );
      }
      return { file: { ...file, bytes: length }, ranges };
    } finally {
      connection.close();
    }
  });
}

/**
 * A small file at once, for example an answer of an API; null for 404.
 * @throws DownloadError, ConnectionError
 */
export async function fetchSmall(
  url: string,
  path: string,
  options: HttpOptions = {},
  signal?: AbortSignal,
  explain: (response: Response) => void = () => {},
): Promise<Uint8Array<ArrayBuffer> | null> {
  return withRetries(options, signal, async () => {
    const connection = await connect(url, path, null, options, signal);
    try {
      const { response } = connection;
      if (response.status === 404) return null;
      explain(response);
      refuseStatus(url, path, response);
      if (isWebPage(response)) return null;
      const pieces: Uint8Array<ArrayBuffer>[] = [];
      for (;;) {
        const { done, value } = await connection.next();
        if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
        pieces.push(value);
      }
    } finally {
      connection.close();
    }
  });
}

async function* readRange(
  url: string,
  known: KnownFile,
  begin: number,
  end: number,
  options: HttpOptions,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let at = begin;
  let failures = 0;
  while (at < end) {
    try {
      for await (const piece of attempt(url, known, at, end, options, signal)) {
        at += piece.length;
        failures = 0;
        yield piece;
      }
      if (at < end) throw new Passing(`${known.path} ended ${end - at} bytes early`);
    } catch (error) {
      await pauseOrThrow(error, ++failures, options, signal);
    }
  }
}

/** One connection: the bytes from `at` until `end`, or until it breaks. */
async function* attempt(
  url: string,
  known: KnownFile,
  at: number,
  end: number,
  options: HttpOptions,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { path } = known;
  const connection = await connect(url, path, `bytes=${at}-${end - 1}`, options, signal);
  try {
    const { response } = connection;
    if (response.status === 404 || response.status === 410) {
      throw new WrongFileError(`${url} isn't there (${response.status}).`);
    }
    if (response.status === 416) {
      throw new WrongFileError(`${path} is shorter on the server than the ${known.bytes} bytes that were announced.`);
    }
    refuseStatus(url, path, response);
    if (isWebPage(response)) {
      throw new DownloadError(`${url} answers with a web page instead of the file.`);
    }
    const version = versionOf(response);
    if (known.version !== undefined && version !== undefined && version !== known.version) {
      throw new WrongFileError(`${path} has changed on the server since it was first looked at. Start again.`);
    }
    const whole = response.status !== 206;
    if (whole) checkWhole(known, response);
    else checkPart(known, response, at);
    if (whole && at > 0) {
      options.onNotice?.(
        `The server of ${path} doesn't give parts of files, so that it is read from its beginning again.`,
      );
    }
    let skip = whole ? at : 0;
    let left = end - at;
    for (;;) {
      const { done, value } = await connection.next();
      if (done) return;
      const piece = skip > 0 ? value.subarray(Math.min(skip, value.length)) : value;
      skip -= value.length - piece.length;
      if (piece.length > left && end === known.bytes) {
        throw new WrongFileError(`${path} is longer on the server than the ${known.bytes} bytes that were announced.`);
      }
      const wanted = piece.subarray(0, left);
      left -= wanted.length;
      if (wanted.length > 0) yield wanted;
      // Of the last bytes of a whole file, the end is waited for: more could follow.
      if (left === 0 && end !== known.bytes) return;
    }
  } finally {
    connection.close();
  }
}

/** What may pass by itself. Never leaves this file. */
class Passing extends Error {
  /** Milliseconds that the server asks for. */
  retryAfter?: number;
}

async function withRetries<T>(
  options: HttpOptions,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      await pauseOrThrow(error, failures, options, signal);
    }
  }
}

/** Waits before the next try; throws what isn't worth one. */
async function pauseOrThrow(
  error: unknown,
  failures: number,
  { backoff = 1000, onNotice }: HttpOptions,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  if (!(error instanceof Passing)) throw error;
  if (failures >= MAX_FAILURES) {
    throw new ConnectionError(`${error.message}; tried ${failures} times. Try again later.`, {
      cause: error,
    });
  }
  const wait = Math.min(MAX_WAIT, error.retryAfter ?? backoff * 2 ** (failures - 1));
  onNotice?.(`${error.message}; trying again in ${Math.ceil(wait / 1000)} s.`);
  await sleep(wait, signal);
}

interface Connection {
  response: Response;
  /** The next piece of the body. @throws Passing when the connection breaks or falls silent */
  next(): Promise<{ done: true; value?: undefined } | { done: false; value: Uint8Array<ArrayBuffer> }>;
  /** Ends it, whatever is still to come. */
  close(): void;
}

async function connect(
  url: string,
  path: string,
  range: string | null,
  options: HttpOptions,
  signal?: AbortSignal,
): Promise<Connection> {
  const abort = new AbortController();
  const stop = () => abort.abort(signal?.reason);
  signal?.addEventListener('abort', stop);
  signal?.throwIfAborted();
  const { patience = 60_000 } = options;
  /** A silent connection is aborted, which makes whatever waits for it fail. */
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => abort.abort(), patience);
    try {
      return await work;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Passing && !abort.signal.aborted) throw error;
      const reason = abort.signal.aborted ? `silent for ${patience / 1000} s` : reasonOf(error);
      throw new Passing(`The connection for ${path} broke (${reason})`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  };
  const close = () => {
    signal?.removeEventListener('abort', stop);
    abort.abort();
  };
  try {
    // The browser's cache would keep a second copy, and hold back a request while an earlier one's part is written.
    const init: RequestInit = { ...(range && { headers: { range } }), signal: abort.signal, cache: 'no-store' };
    const response = await timed(fetchOr(url, path, options, init));
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

async function fetchOr(url: string, path: string, options: HttpOptions, init: RequestInit): Promise<Response> {
  const { fetch: get = fetch } = options;
  try {
    return await get(url, init);
  } catch (error) {
    if (isAbortError(error)) throw error;
    throw new Passing(`${path} could not be reached at ${hostOf(url)} (${reasonOf(error)})`, { cause: error });
  }
}

function refuseStatus(url: string, path: string, response: Response): void {
  if (response.ok) return;
  const { status } = response;
  if (status === 401 || status === 403) {
    throw new DownloadError(
      `${hostOf(url)} does not give ${path} to this page without logging in (${status}). Download it there yourself and drop the files here.`,
    );
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const error = new Passing(`${hostOf(url)} answered ${status} for ${path}`);
    const after = retryAfter(response);
    if (after !== undefined) error.retryAfter = after;
    throw error;
  }
  throw new DownloadError(`${url} answered ${`${status} ${response.statusText}`.trim()}.`);
}

function checkPart(known: KnownFile, response: Response, at: number): void {
  const range = contentRange(response);
  // Not every server lets a page of another origin read it; then the bytes are counted, and hashed.
  if (!range) return;
  if (range.total !== undefined && range.total !== known.bytes) {
    throw new WrongFileError(
      `${known.path} has ${range.total} bytes on the server, and not the ${known.bytes} that were announced.`,
    );
  }
  if (range.begin !== at) {
    throw new DownloadError(`The server of ${known.path} sent bytes from ${range.begin} when asked from ${at}.`);
  }
}

function checkWhole(known: KnownFile, response: Response): void {
  const length = response.headers.get('content-encoding') ? undefined : contentLength(response);
  if (length === undefined || length === known.bytes) return;
  throw new DownloadError(
    `${known.path} has ${length} bytes on the server, and not the ${known.bytes} that were announced.`,
  );
}

function contentRange(response: Response): { begin: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (!match) return undefined;
  return { begin: Number(match[1]), total: match[2] === '*' ? undefined : Number(match[2]) };
}

function contentLength(response: Response): number | undefined {
  const value = response.headers.get('content-length');
  return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
}

const versionOf = ({ headers }: Response) => headers.get('etag') ?? headers.get('last-modified') ?? undefined;

/** `Retry-After` in milliseconds: seconds or a date. */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** How single-page hosts, captive portals and login walls answer for a file. */
const isWebPage = (response: Response) => response.headers.get('content-type')?.startsWith('text/html') ?? false;

const hostOf = (url: string) => new URL(url).host;

/** Node's fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { message?: string } } | null)?.cause?.message;
  return cause || messageOf(error);
}
