/** @file What the headers of a response say about the file behind it. */

/** The first byte and the total length from Content-Range; undefined when a page may not read that header. */
export function contentRange(response: Response): { begin: number; total: number | undefined } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  if (!match) return undefined;
  return { begin: Number(match[1]), total: match[2] === '*' ? undefined : Number(match[2]) };
}

/** Bytes of the body; undefined when unknown, or when the header counts compressed bytes. */
export function contentLength(response: Response): number | undefined {
  if (response.headers.get('content-encoding')) return undefined;
  const value = response.headers.get('content-length');
  return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
}

/** Changes when the file does. */
export const versionOf = ({ headers }: Response): string | undefined =>
  headers.get('etag') ?? headers.get('last-modified') ?? undefined;

/** `Retry-After` in milliseconds; the header holds seconds or a date. */
export function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (value === null) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Single-page hosts, captive portals and login walls answer with a web page in place of a file. */
export const isWebPage = (response: Response): boolean =>
  response.headers.get('content-type')?.startsWith('text/html') ?? false;
