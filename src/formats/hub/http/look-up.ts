/** @file Questions about files on a web server, and small files as a whole. A person waits for these, so they fail soon. */
import { t } from '../../../i18n';
import { checkStatus, connect, fetchOrFail } from './connection';
import { DownloadError } from './errors';
import { contentLength, contentRange, isWebPage, versionOf } from './headers';
import type { HttpOptions } from './options';
import { withRetries } from './retry';
import type { KnownFile } from './url-file';

/** Milliseconds. */
const TIMEOUT = 10_000;

export interface FoundFile {
  file: KnownFile;
  /** Whether the server supports byte ranges. Without them, a download that breaks off starts over. */
  ranges: boolean;
}

/**
 * Asks for a file's size, and whether its server supports byte ranges. Null for 404, and for a web page in place of the
 * file.
 * @throws DownloadError, ConnectionError
 */
export async function findUrlFile(
  url: string,
  path: string,
  options: HttpOptions = {},
  signal?: AbortSignal,
): Promise<FoundFile | null> {
  const patient = { timeout: TIMEOUT, ...options };
  return withRetries(patient, signal, async () => {
    const connection = await connect({ url, path, range: 'bytes=0-0' }, patient, signal);
    try {
      const { response } = connection;
      if (response.status === 404 || (response.ok && isWebPage(response))) return null;
      checkStatus({ url, path }, response);
      const ranges = response.status === 206;
      const bytes = ranges ? contentRange(response)?.total : contentLength(response);
      const version = versionOf(response);
      const file = { path, ...(version !== undefined && { version }) };
      if (bytes !== undefined) return { file: { ...file, bytes }, ranges };
      // A server that hides Content-Range from other sites may still let them read the length of a whole response.
      const head = await fetchOrFail({ url, path }, patient, { method: 'HEAD', ...(signal && { signal }) });
      const length = head.ok ? contentLength(head) : undefined;
      if (length === undefined) throw new DownloadError(t('models:http.noLength', { url }));
      return { file: { ...file, bytes: length }, ranges };
    } finally {
      connection.close();
    }
  });
}

/**
 * A small file as a whole, for example the answer of an API. Null for 404, and for a web page in place of the file.
 * @param check may throw an error that explains a status better
 * @throws DownloadError, ConnectionError
 */
export async function fetchSmall(
  url: string,
  path: string,
  options: HttpOptions = {},
  signal?: AbortSignal,
  check: (response: Response) => void = () => {},
): Promise<Uint8Array<ArrayBuffer> | null> {
  const patient = { timeout: TIMEOUT, ...options };
  return withRetries(patient, signal, async () => {
    const connection = await connect({ url, path }, patient, signal);
    try {
      const { response } = connection;
      if (response.status === 404) return null;
      check(response);
      checkStatus({ url, path }, response);
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
