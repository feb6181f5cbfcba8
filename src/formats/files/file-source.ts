/** @file Where a model folder's files come from: a web server or memory. (The Node file system's is in src/cli.) */
import { messageOf } from '../../base/errors';

export interface FileSource {
  /** For messages: the folder's address or name. */
  name: string;
  /**
   * A file by its path inside the folder, or null when there is none.
   * @throws Error with a message for the user when the file may exist but can't be read.
   */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | null>;
}

/**
 * Files below a base URL. 404 means that there is no such file, and so does a web page where none was asked for: that
 * is how single-page hosts answer for a missing file.
 */
export function urlSource(base: string, fetchFile: typeof fetch = (...args) => fetch(...args)): FileSource {
  const root = base.endsWith('/') ? base : `${base}/`;
  return {
    name: base,
    async read(path) {
      const url = root + path.split('/').map(encodeURIComponent).join('/');
      let response: Response;
      try {
        response = await fetchFile(url);
      } catch (error) {
        const reason = messageOf(error);
        throw new Error(`${url} could not be reached: ${reason}`, { cause: error });
      }
      if (response.status === 404) return null;
      if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`.trimEnd());
      if (response.headers.get('content-type')?.startsWith('text/html')) return null;
      const bytes = new Uint8Array(await response.arrayBuffer());
      // A content-length counts compressed bytes where there is an encoding, so it can be held against only plain files.
      const announced = Number(response.headers.get('content-length') ?? NaN);
      if (announced > bytes.length && !response.headers.get('content-encoding')) {
        throw new Error(`${url} was cut short: ${announced} bytes expected, ${bytes.length} came`);
      }
      return bytes;
    },
  };
}

/** Files in a map, for example an unpacked zip. */
export function mapSource(name: string, files: ReadonlyMap<string, Uint8Array>): FileSource {
  return {
    name,
    read: (path) => Promise.resolve((files.get(path) as Uint8Array<ArrayBuffer> | undefined) ?? null),
  };
}
