/** @file The files of a small model folder on a web server, each fetched whole. Large ones: ../hub/http/url-file.ts. */
import { messageOf } from '../../base/errors';
import type { ModelFiles } from './model-files';
import { memoryFile } from './memory-files';

/**
 * Files below a base URL. A 404 means that there is no such file, and so does a web page where none was asked for: that is
 * how single-page hosts answer for a missing file.
 */
export function urlFiles(base: string, fetchFile: typeof fetch = (...args) => fetch(...args)): ModelFiles {
  const root = base.endsWith('/') ? base : `${base}/`;
  const fetched = async (path: string): Promise<Uint8Array<ArrayBuffer> | null> => {
    const url = root + path.split('/').map(encodeURIComponent).join('/');
    let response: Response;
    try {
      response = await fetchFile(url);
    } catch (error) {
      throw new Error(`${url} could not be reached: ${messageOf(error)}`, { cause: error });
    }
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`${url} answered ${response.status} ${response.statusText}`.trimEnd());
    if (response.headers.get('content-type')?.startsWith('text/html')) return null;
    const bytes = new Uint8Array(await response.arrayBuffer());
    // With an encoding, content-length counts compressed bytes, so only plain files can be checked against it.
    const announced = Number(response.headers.get('content-length') ?? NaN);
    if (announced > bytes.length && !response.headers.get('content-encoding')) {
      throw new Error(`${url} was cut short: ${announced} bytes expected, ${bytes.length} came`);
    }
    return bytes;
  };
  return {
    name: base,
    list: () => Promise.resolve(null),
    async open(path) {
      const bytes = await fetched(path);
      return bytes && memoryFile(path, bytes);
    },
  };
}
