/**
 * @file The page's side of the engine: trainers and chat models that look like any other, and a worker that is started
 * when it is first needed, and again after it died. Whatever was on a dead worker fails with a message; nothing waits
 * for it forever.
 */
import { proxy, releaseProxy, wrap, type Remote } from 'comlink';
import type { LookedAt } from '../engine/library/downloads';
import type { LoadOptions, LoadProgress } from '../engine/load-options';
import type { ProbeResult } from '../engine/probe';
import { chosenPaths } from '../formats/files/blob-files';
import type { ChosenFiles, ModelAddress } from '../formats/hub/model-address';
import type { DownloadProgress, ModelSummary, StorageUse, StoredModel } from '../formats/hub/stored-model';
import type { LiveConfig, RunConfig } from '../rl/config';
import type { ChatToken, GenerateRequest, OpenChatModel } from '../runs/chat-model';
import type { RunEvent } from '../runs/events';
import type { Resume, RunObserver, Trainer } from '../runs/trainer';
import { requestPersistence } from '../storage/persistence';
import type { CheckApi } from './check-host';
import { inDisposableWorker, type DisposableParts, type WorkerLike } from './disposable';
import { engineHealth, type EngineHealth } from './engine-health';
import { watchHeartbeat, type HeartbeatOptions } from './heartbeat';
import type { EngineApi, ModelLibrary, ModelFacts, ModelRef } from './protocol';
import { registerTransfers } from './transfer';

/** The worker is gone; the next use starts another. */
export class EngineDiedError extends Error {
  override name = 'EngineDiedError';
}

export type { WorkerLike };

/** One worker, from its start to its end. */
interface WorkerHandle {
  api: Remote<EngineApi>;
  /** Rejects with an EngineDiedError when the worker ends; never resolves. */
  terminated: Promise<never>;
  terminate(reason: string): void;
}

export interface ClientParts {
  /** Where it is shown when the worker stops answering. */
  health?: Pick<EngineHealth, 'report'>;
  heartbeat?: HeartbeatOptions;
  check?: DisposableParts;
}

export interface OpenModelOptions extends LoadOptions {
  /** Called with how much of the weights is on the GPU. */
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
}

const startWorker = (): WorkerLike =>
  new Worker(new URL('./engine.worker.ts', import.meta.url), { type: 'module', name: 'tinythink engine' });

registerTransfers();

export class EngineClient implements ModelLibrary {
  readonly #spawn: () => WorkerLike;
  readonly #base: () => string;
  readonly #parts: ClientParts;
  /** Models that were looked at on this page, by their ids. */
  readonly #looked = new Map<string, LookedAt>();
  #worker: WorkerHandle | null = null;

  constructor(spawn = startWorker, base = () => document.baseURI, parts: ClientParts = {}) {
    this.#spawn = spawn;
    this.#base = base;
    this.#parts = parts;
  }

  /** What GPU the engine finds, or why it finds none. */
  probe(): Promise<ProbeResult> {
    return this.#call((api) => api.probe() as Promise<ProbeResult>);
  }

  /** Bytes of GPU memory that a run needs, by what they are for. */
  planRun(config: RunConfig): Promise<Record<string, number>> {
    return this.#call((api) => api.planRun(config));
  }

  describeModel(ref: ModelRef): Promise<ModelFacts> {
    return this.#call((api) => api.describeModel(sendable(ref)));
  }

  /** A trainer for one run. */
  createTrainer(): Trainer {
    const worker = this.#running();
    const remote = this.#call((api) => api.createTrainer() as unknown as Promise<Remote<Trainer>>, worker);
    // Whoever uses the trainer sees the failure; until then it is not an unhandled rejection.
    remote.catch(() => {});
    const ask = async <T>(work: (trainer: Remote<Trainer>) => Promise<T>): Promise<T> => {
      const trainer = await remote;
      return this.#call(() => work(trainer), worker);
    };
    return {
      start(config: RunConfig, observer: RunObserver, resume?: Resume) {
        const watched = watchRun(observer, worker.terminated);
        return ask((trainer) => trainer.start(config, proxy(watched), resume));
      },
      resume: () => ask(async (trainer) => trainer.resume()),
      pause: () => ask((trainer) => trainer.pause()),
      step: () => ask((trainer) => trainer.step()),
      stop: () => ask((trainer) => trainer.stop()),
      update: (change: LiveConfig) => ask(async (trainer) => trainer.update(change)),
      exportModel: () => ask((trainer) => trainer.exportModel()),
      openChatModel: async (weights) => {
        const chat = await ask((trainer) => openOf(trainer)(weights));
        return this.#localModel(chat, worker);
      },
    };
  }

  /**
   * Opens a model to chat with.
   * @throws Error with a message for the user; DOMException AbortError
   */
  async openChatModel(ref: ModelRef | string, options: OpenModelOptions = {}): Promise<OpenChatModel> {
    const { onProgress = () => {}, signal, ...request } = options;
    signal?.throwIfAborted();
    const worker = this.#running();
    const wanted = sendable(typeof ref === 'string' ? { name: ref } : ref);
    const chat = await this.#abortable(signal, () =>
      this.#call((api) => api.openChatModel(wanted, request, proxy(onProgress), signal ?? null), worker),
    );
    return this.#localModel(chat as unknown as Remote<OpenChatModel>, worker);
  }

  inspectModel(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary> {
    // What nobody has looked at yet may hang whatever reads it: not on the worker that training and chats are on.
    return this.#abortable(signal, async () => {
      const look = (api: Remote<CheckApi>) => api.inspectModel(sendable(address), signal);
      const summary = await inDisposableWorker(look, this.#parts.check);
      const { id, architecture, parameters, quantisation } = summary;
      this.#looked.set(id, { id, architecture, parameters, quantisation });
      return summary;
    });
  }

  storedModels(): Promise<StoredModel[]> {
    return this.#call((api) => api.storedModels());
  }

  downloadModel(
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void = () => {},
    signal?: AbortSignal,
  ): Promise<StoredModel> {
    // Only a page may ask, not a worker. The download doesn't wait for the answer.
    void requestPersistence();
    return this.#abortable(signal, () =>
      this.#call(async (api) => {
        await Promise.all([...this.#looked.values()].map((looked) => api.rememberModel(looked)));
        return api.downloadModel(sendable(address), proxy(onProgress), signal);
      }),
    );
  }

  async cancelDownload(id: string): Promise<void> {
    // Without a worker there is no download.
    if (this.#worker) await this.#call((api) => api.cancelDownload(id));
  }

  removeModel(id: string): Promise<void> {
    return this.#call((api) => api.removeModel(id));
  }

  storageUse(): Promise<StorageUse> {
    return this.#call((api) => api.storageUse());
  }

  /** Ends the worker and all that is on it; the next use starts another. */
  dispose(): void {
    this.#worker?.terminate('it was closed');
  }

  /** A chat model of the worker as one of this page: its answers end when the worker does. */
  async #localModel(chat: Remote<OpenChatModel>, worker: WorkerHandle): Promise<OpenChatModel> {
    const [name, sampling, readsLanguage] = await this.#call(
      () => Promise.all([chat.name, chat.sampling, chat.readsLanguage]),
      worker,
    );
    let closed = false;
    const start = async (request: GenerateRequest, signal: AbortSignal) => {
      if (closed) throw new Error('This model has been closed.');
      return this.#call(() => chat.generate(request, signal) as unknown as Promise<AsyncIterable<ChatToken>>, worker);
    };
    return {
      name,
      ...(sampling && { sampling }),
      ...(readsLanguage !== undefined && { readsLanguage }),
      async *generate(request, signal) {
        if (signal.aborted || request.max_tokens <= 0) return;
        const tokens = (await start(request, signal))[Symbol.asyncIterator]();
        const stopped = aborted(signal);
        try {
          for (;;) {
            const next = await Promise.race([tokens.next(), worker.terminated, stopped.promise]);
            if (next === 'aborted' || next.done) return;
            yield next.value;
          }
        } finally {
          stopped.release();
          void tokens.return?.();
        }
      },
      close: () => {
        if (closed) return;
        closed = true;
        void this.#call(() => chat.close(), worker)
          .then(() => chat[releaseProxy]())
          .catch(() => {});
      },
    };
  }

  async #call<T>(work: (api: Remote<EngineApi>) => Promise<T>, worker = this.#running()): Promise<T> {
    if (worker !== this.#worker) return worker.terminated;
    return Promise.race([work(worker.api), worker.terminated]);
  }

  /** An AbortError thrown in the worker arrives as a plain error; the signal says what it was. */
  async #abortable<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  #running(): WorkerHandle {
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #start(): WorkerHandle {
    const worker = this.#spawn();
    const api = wrap<EngineApi>(worker);
    let reject: (error: EngineDiedError) => void = () => {};
    const terminated = new Promise<never>((_, no) => (reject = no));
    terminated.catch(() => {});
    const { health = engineHealth, heartbeat } = this.#parts;
    const restart = () => handle.terminate('it did not answer any more');
    const stopAsking = watchHeartbeat(
      () => api.ping(),
      (silent) => health.report(silent ? { restart } : null),
      heartbeat,
    );
    const handle: WorkerHandle = {
      api,
      terminated,
      terminate: (reason) => {
        if (this.#worker === handle) this.#worker = null;
        stopAsking();
        health.report(null);
        api[releaseProxy]();
        worker.terminate();
        reject(
          new EngineDiedError(
            `The engine stopped (${reason}). It starts again when it is next used; a saved run continues from its last checkpoint.`,
          ),
        );
      },
    };
    worker.addEventListener('error', (event) => {
      const { message } = event as ErrorEvent;
      handle.terminate(message || 'its program could not be loaded');
    });
    worker.addEventListener('messageerror', () => handle.terminate('a message could not be read'));
    void api.setBase(this.#base()).catch(() => {});
    return handle;
  }
}

/** Optional in the interface; the engine's own trainers have it. */
const openOf = (trainer: Remote<Trainer>) =>
  trainer.openChatModel as unknown as (weights: 'start' | 'current') => Promise<Remote<OpenChatModel>>;

/** Not every browser sends a file's place in its folder along. */
const sendable = <T extends ModelRef | ModelAddress>(ref: T): T =>
  'files' in ref ? { ...ref, paths: chosenPaths(ref as ChosenFiles) } : ref;

/** Resolves when the signal aborts. `release` stops listening. */
function aborted(signal: AbortSignal): { promise: Promise<'aborted'>; release(): void } {
  let stop: () => void = () => {};
  const promise = new Promise<'aborted'>((resolve) => {
    stop = () => resolve('aborted');
    signal.addEventListener('abort', stop);
  });
  return { promise, release: () => signal.removeEventListener('abort', stop) };
}

/** A full observer, which tells a run's viewer when the worker dies under it: a run must not just fall silent. */
function watchRun(
  observer: RunObserver,
  terminated: Promise<never>,
): Required<Omit<RunObserver, 'disconnected' | 'lost'>> {
  let step = 0;
  let active = false;
  terminated.catch((error: Error) => {
    if (active) observer.event({ type: 'failed', step, reason: error.message });
    active = false;
  });
  return {
    event(event: RunEvent) {
      if (event.type === 'step') step = event.step;
      active = event.type !== 'finished' && event.type !== 'failed';
      observer.event(event);
    },
    status: (status) => observer.status?.(status),
    warning: (message) => observer.warning?.(message),
  };
}

let shared: EngineClient | null = null;

/** The page's engine; its worker is started by the first use. */
export function engine(): EngineClient {
  shared ??= new EngineClient();
  return shared;
}
