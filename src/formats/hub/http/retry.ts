/** @file Retries what may work a moment later: broken connections, 429 and 5xx. */
import { sleep } from '../../../base/sleep';
import { t } from '../../../i18n';
import { ConnectionError } from './errors';
import type { HttpOptions } from './options';

/** A failure that may pass. Callers outside this folder never see it. */
export class TransientError extends Error {
  /** Milliseconds that the server asks for. */
  retryAfter?: number;
}

/** Attempts in a row without a byte in between, for a download that nobody is waiting for. */
export const DOWNLOAD_ATTEMPTS = 6;
/** The same for a question that a person is waiting for: a few seconds in all. */
const LOOK_UP_ATTEMPTS = 3;
const MAX_WAIT = 60_000;

/**
 * Runs `work`, for which a person is waiting, and again when it fails with a `TransientError`.
 * @throws ConnectionError after the last attempt, or at once when the device is offline
 */
export async function withRetries<T>(
  options: HttpOptions,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof TransientError && globalThis.navigator?.onLine === false) {
        throw new ConnectionError(t('models:http.offline'), { cause: error });
      }
      await waitOrThrow(error, { failures, attempts: LOOK_UP_ATTEMPTS }, options, signal);
    }
  }
}

/** Waits before the next attempt, or throws what can't be retried. */
export async function waitOrThrow(
  error: unknown,
  { failures, attempts }: { failures: number; attempts: number },
  { backoff = 1000, onNotice }: HttpOptions,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  if (!(error instanceof TransientError)) throw error;
  if (failures >= attempts) {
    const message = t('models:http.gaveUp', { reason: error.message, count: failures });
    throw new ConnectionError(message, { cause: error });
  }
  const wait = Math.min(MAX_WAIT, error.retryAfter ?? backoff * 2 ** (failures - 1));
  onNotice?.(t('models:http.retrying', { reason: error.message, count: Math.ceil(wait / 1000) }));
  await sleep(wait, signal);
}
