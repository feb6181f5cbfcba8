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
