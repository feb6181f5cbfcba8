/**
 * @file A file on a web server, read by byte ranges (RFC 9110, section 14). A broken connection resumes at the last byte
 * that came. A changed file is noticed by its ETag and length, where the server lets a page read them, instead of
 * `If-Range`, which would need a CORS preflight.
 */
import { t } from '../../../i18n';
import type { RangedFile } from '../../files/model-files';
import { checkStatus, connect } from './connection';
import type { Connection } from './connection';
import { DownloadError, WrongFileError } from './errors';
import { contentLength, contentRange, isWebPage, versionOf } from './headers';
import type { HttpOptions } from './options';
import { DOWNLOAD_ATTEMPTS, TransientError, waitOrThrow } from './retry';

export interface KnownFile {
  /** The file's name, also for messages. */
  path: string;
  bytes: number;
  /** The ETag it had, where that is known and no hash identifies the content. */
  version?: string;
}

interface Reading {
  url: string;
  known: KnownFile;
  /** The next byte to read, and the byte before which reading stops. */
  at: number;
  end: number;
}

/** A file whose size is known, for example from the Hub's listing. No request is made before the first read. */
export function urlFile(url: string, known: KnownFile, options: HttpOptions = {}): RangedFile {
  return {
    name: known.path,
    size: known.bytes,
    read: (begin, end, signal) => readRange({ url, known, at: begin, end }, options, signal),
  };
}

async function* readRange(
  reading: Reading,
  options: HttpOptions,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { path } = reading.known;
  let { at } = reading;
  let failures = 0;
  while (at < reading.end) {
    try {
      for await (const piece of readOnce({ ...reading, at }, options, signal)) {
        at += piece.length;
        failures = 0;
        yield piece;
      }
      if (at < reading.end) throw new TransientError(t('models:http.endedEarly', { path, count: reading.end - at }));
    } catch (error) {
      await waitOrThrow(error, { failures: ++failures, attempts: DOWNLOAD_ATTEMPTS }, options, signal);
    }
  }
}

/** One connection: the bytes from `at` until `end`, or until it breaks. */
async function* readOnce(
  reading: Reading,
  options: HttpOptions,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { url, known, at, end } = reading;
  const { path } = known;
  const connection = await connect({ url, path, range: `bytes=${at}-${end - 1}` }, options, signal);
  try {
    const whole = checkResponse(reading, connection.response);
    if (whole && at > 0) options.onNotice?.(t('models:http.startsOver', { path }));
    yield* cut(connection, reading, whole ? at : 0);
  } finally {
    connection.close();
  }
}

/**
 * Whether the server ignores the range and sends the whole file.
 * @throws WrongFileError, DownloadError, TransientError
 */
function checkResponse({ url, known, at }: Reading, response: Response): boolean {
  const { path, bytes } = known;
  const { status } = response;
  if (status === 404 || status === 410) throw new WrongFileError(t('models:http.notThere', { url, status }));
  if (status === 416) throw new WrongFileError(t('models:http.shorter', { path, count: bytes }));
  checkStatus({ url, path }, response);
  if (isWebPage(response)) throw new DownloadError(t('models:http.webPage', { url }));
  const version = versionOf(response);
  if (known.version !== undefined && version !== undefined && version !== known.version) {
    throw new WrongFileError(t('models:http.changed', { path }));
  }
  if (status !== 206) {
    const length = contentLength(response);
    if (length !== undefined && length !== bytes) {
      throw new DownloadError(t('models:http.wrongLength', { path, found: length, announced: bytes }));
    }
    return true;
  }
  const range = contentRange(response);
  // Not every server lets a page of another origin read the range. The bytes are then counted and hashed.
  if (!range) return false;
  if (range.total !== undefined && range.total !== bytes) {
    throw new WrongFileError(t('models:http.wrongLength', { path, found: range.total, announced: bytes }));
  }
  if (range.begin !== at) {
    throw new DownloadError(t('models:http.wrongRange', { path, found: range.begin, asked: at }));
  }
  return false;
}

/** The wanted bytes of a response's body, after `skip` bytes that are not wanted. */
async function* cut(
  connection: Connection,
  { known, at, end }: Reading,
  skip: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let left = end - at;
  for (;;) {
    const { done, value } = await connection.next();
    if (done) return;
    const piece = skip > 0 ? value.subarray(Math.min(skip, value.length)) : value;
    skip -= value.length - piece.length;
    if (piece.length > left && end === known.bytes) {
      throw new WrongFileError(t('models:http.longer', { path: known.path, count: known.bytes }));
    }
    const wanted = piece.subarray(0, left);
    left -= wanted.length;
    if (wanted.length > 0) yield wanted;
    // After the last bytes of a whole file, wait for the end of the body: more could follow.
    if (left === 0 && end !== known.bytes) return;
  }
}
