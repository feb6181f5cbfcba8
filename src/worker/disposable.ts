/** @file Does one piece of work on untrusted files in a worker of its own, which is ended with it, or when it hangs. */
import { wrap, type Remote } from 'comlink';
import { t } from '../i18n';
import type { CheckApi } from './check-host';
import { watchHeartbeat, type HeartbeatOptions } from './heartbeat';
import { registerTransfers } from './transfer';

/** The part of a Worker that is used. */
export type WorkerLike = Pick<Worker, 'postMessage' | 'addEventListener' | 'removeEventListener' | 'terminate'>;

export interface DisposableParts {
  spawn?: () => WorkerLike;
  heartbeat?: HeartbeatOptions;
}

/** Downloads may take as long as they like; what blocks the worker for longer than this is taken for a hang. */
const HEARTBEAT: HeartbeatOptions = { interval: 1000, mostMissed: 20 };

const startWorker = (): WorkerLike =>
  new Worker(new URL('./check.worker.ts', import.meta.url), { type: 'module', name: 'tinythink check' });

registerTransfers();

/** @throws what the work throws, or Error with a message for the user when the worker hangs or breaks down */
export async function inDisposableWorker<T>(
  work: (api: Remote<CheckApi>) => Promise<T>,
  { spawn = startWorker, heartbeat = HEARTBEAT }: DisposableParts = {},
): Promise<T> {
  const worker = spawn();
  const api = wrap<CheckApi>(worker);
  let stopAsking = () => {};
  const broken = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(t('models:check.hangs')));
    stopAsking = watchHeartbeat(() => api.ping(), fail, heartbeat);
    worker.addEventListener('error', () => reject(new Error(t('models:check.broke'))));
    worker.addEventListener('messageerror', () => reject(new Error(t('models:check.broke'))));
  });
  try {
    return await Promise.race([work(api), broken]);
  } finally {
    stopAsking();
    worker.terminate();
  }
}

/** Whether this place has workers; tests in Node have none. */
export const hasWorkers = (): boolean => typeof Worker !== 'undefined';
