/** @file Helpers for caught errors, which TypeScript knows only as `unknown`. */

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Whether something was cancelled through an AbortSignal rather than failed. DOMException is not an Error everywhere. */
export const isAbortError = (error: unknown): boolean => nameOf(error) === 'AbortError';

/** The error that a cancelled operation rejects with. */
export const abortError = (message = 'The operation was cancelled.'): DOMException =>
  new DOMException(message, 'AbortError');

/** The `name` of anything that was thrown, such as `QuotaExceededError`; undefined where it has none. */
export function nameOf(error: unknown): string | undefined {
  const name = (error as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' ? name : undefined;
}

/**
 * What to tell a person about an error that a package threw over data from outside. A TypeError or RangeError names the
 * package's own variables, which says nothing about the data.
 */
export function reasonOf(error: unknown): string {
  const name = nameOf(error);
  if (error instanceof RangeError && /call stack/.test(error.message)) return 'it is nested too deeply';
  return name === 'TypeError' || name === 'RangeError'
    ? 'a part of it is missing or of the wrong kind'
    : messageOf(error);
}
