/**
 * @file The page's side of the engine: trainers and policies that look like any other, and a worker that is started when
 * it is first needed and anew after it died. What was on a dead worker says so, and nothing waits for it for ever.
 */
import { proxy, releaseProxy, wrap } from 'comlink';
import type { Remote } from 'comlink';
import { chosenPaths } from '../formats/files/blob-files';
import type { ChosenFiles, ModelAddress } from '../formats/hub/model-address';
import type { DownloadProgress, ModelSummary, StorageUse, StoredModel } from '../formats/hub/stored-model';
import type { LiveConfig, RunConfig } from '../rl/config';
import type { RunEvent } from '../runs/events';
import type { LoadProgress, PrepareProgress } from '../engine/load-options';
import type { GenerateRequest, ChatModel, ChatToken } from '../runs/chat-model';
import { requestPersistence } from '../storage/persistence';
import type { Resume, Trainer } from '../runs/trainer';
import type { EngineApi, FilesModel, ModelLibrary, NamedModel, ChatModelRef } from './protocol';
import type { ProbeResult } from '../engine/probe';

/** The worker is gone; the next use starts another. */
export class EngineDiedError extends Error {
  override name = 'EngineDiedError';
}

export interface OpenChatModel extends ChatModel {
  /** Gives its GPU memory back. */
  close(): void;
}

export interface LocalEngineTrainer extends Trainer {
  /** The model with the weights of now, to talk to; while the run is paused or has ended. */
  currentChatModel(): Promise<OpenChatModel>;
}

/** The part of a Worker that is used. */
export type WorkerLike = Pick<Worker, 'postMessage' | 'addEventListener' | 'removeEventListener' | 'terminate'>;

/** One life of a worker. */
interface Life {
  worker: WorkerLike;
  api: Remote<EngineApi>;
  /** Rejects with an EngineDiedError when the worker dies; never resolves. */
  death: Promise<never>;
  die(reason: string): void;
}

const startWorker = (): WorkerLike =>
  new Worker(new URL('./engine.worker.ts', import.meta.url), { type: 'module', name: 'tinythink engine' });

export class EngineClient implements ModelLibrary {
  readonly #spawn: () => WorkerLike;
  readonly #base: () => string;
  #life: Life | null = null;
  #nextTask = 1;

  constructor(spawn = startWorker, base = () => document.baseURI) {
    this.#spawn = spawn;
    this.#base = base;
  }

  /** What GPU the engine finds, or why it finds none. */
  probe(): Promise<ProbeResult> {
    return this.#call(this.#living(), (api) => api.probe() as Promise<ProbeResult>);
  }

  /** Bytes of GPU memory that a run needs, by what they are for. */
  plan(config: RunConfig): Promise<Record<string, number>> {
    return this.#call(this.#living(), (api) => api.plan(config));
  }

  /**
   * A trainer for one run.
   * @param onWarning told what went wrong without stopping the run
   * @param onPreparing told how much of a downloaded model's weights is on the GPU, and how far a cold start is
   */
  createTrainer(
    onWarning: (message: string) => void = () => {},
    onPreparing: (progress: PrepareProgress) => void = () => {},
  ): LocalEngineTrainer {
    const life = this.#living();
    const id = this.#call(life, (api) => api.createTrainer(proxy(onWarning), proxy(onPreparing)));
    // Whoever uses the trainer hears of it; until then it is not an unhandled rejection.
    id.catch(() => {});
    const ask = async <T>(work: (api: Remote<EngineApi>, id: number) => Promise<T>): Promise<T> => {
      const known = await id;
      return this.#call(life, (api) => work(api, known));
    };
    return {
      async start(config: RunConfig, onEvent: (event: RunEvent) => void, resume?: Resume) {
        const watched = watchRun(onEvent, life.death);
        await ask((api, known) => api.start(known, config, proxy(watched), resume));
      },
      resume: () => ask((api, known) => api.resume(known)),
      pause: () => ask((api, known) => api.pause(known)),
      step: () => ask((api, known) => api.step(known)),
      stop: () => ask((api, known) => api.stop(known)),
      update: (change: LiveConfig) => ask((api, known) => api.update(known, change)),
      exportModel: () => ask((api, known) => api.exportModel(known)),
      currentChatModel: async () => this.#openChatModel(life, { trainer: await id }, 'current weights'),
    };
  }

  /**
   * Opens a model to talk to.
   * @param model a name alone, or with how to load it (see `ChatModelRef`); or files
   * @param onProgress told how much of a downloaded model's or a file's weights is on the GPU
   * @throws Error with a message for the user; DOMException AbortError
   */
  openChatModel(
    model: string | NamedModel | FilesModel,
    onProgress?: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<OpenChatModel> {
    const wanted = typeof model === 'string' ? { name: model } : 'files' in model ? withPaths(model) : model;
    const name = 'name' in wanted ? wanted.name : (wanted.files[0]?.name ?? 'no files');
    return this.#openChatModel(this.#living(), wanted, name, onProgress, signal);
  }

  inspectModel(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary> {
    const inspect = (api: Remote<EngineApi>, task: number) =>
      api.inspectModel(task, sendable(address)) as Promise<ModelSummary>;
    return this.#task(this.#living(), signal, inspect);
  }

  storedModels(): Promise<StoredModel[]> {
    return this.#call(this.#living(), (api) => api.storedModels() as Promise<StoredModel[]>);
  }

  async downloadModel(
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void = () => {},
    signal?: AbortSignal,
  ): Promise<StoredModel> {
    // Only a page may ask, not a worker. The download goes on without waiting for what people answer.
    void requestPersistence();
    const download = (api: Remote<EngineApi>, task: number) =>
      api.downloadModel(task, sendable(address), proxy(onProgress)) as Promise<StoredModel>;
    return this.#task(this.#living(), signal, download);
  }

  async cancelDownload(id: string): Promise<void> {
    // Without a worker there is no download.
    if (this.#life) await this.#call(this.#life, (api) => api.cancelDownload(id));
  }

  removeModel(id: string): Promise<void> {
    return this.#call(this.#living(), (api) => api.removeModel(id));
  }

  storageUse(): Promise<StorageUse> {
    return this.#call(this.#living(), (api) => api.storageUse() as Promise<StorageUse>);
  }

  /** Ends the worker and all that is on it; the next use starts another. */
  dispose(): void {
    this.#life?.die('it was closed');
  }

  async #openChatModel(
    life: Life,
    model: ChatModelRef,
    name: string,
    onProgress?: (progress: LoadProgress) => void,
    signal?: AbortSignal,
  ): Promise<OpenChatModel> {
    const told = onProgress && proxy(onProgress);
    const id = await this.#task(life, signal, (api, task) => api.openChatModel(task, model, told));
    const sampling = await this.#call(life, (api) => api.recommendedSampling(id));
    return {
      name,
      sampling,
      generate: (request, signal) =>
        streamTokens(
          (onToken) => this.#call(life, (api) => api.generate(id, request, proxy(onToken))),
          () => void this.#call(life, (api) => api.abort(id)).catch(() => {}),
          signal,
          request,
        ),
      close: () => void this.#call(life, (api) => api.closeChatModel(id)).catch(() => {}),
    };
  }

  async #call<T>(life: Life, work: (api: Remote<EngineApi>) => Promise<T>): Promise<T> {
    if (life !== this.#life) return life.death;
    return Promise.race([work(life.api), life.death]);
  }

  /** A call that the signal can cancel. */
  async #task<T>(
    life: Life,
    signal: AbortSignal | undefined,
    work: (api: Remote<EngineApi>, task: number) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const task = this.#nextTask++;
    const stop = () => void this.#call(life, (api) => api.cancelTask(task)).catch(() => {});
    signal?.addEventListener('abort', stop);
    try {
      return await this.#call(life, (api) => work(api, task));
    } catch (error) {
      // What the worker threw for it is a plain error by now.
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #living(): Life {
    this.#life ??= this.#begin();
    return this.#life;
  }

  #begin(): Life {
    const worker = this.#spawn();
    const api = wrap<EngineApi>(worker);
    let reject: (error: EngineDiedError) => void = () => {};
    const death = new Promise<never>((_, no) => (reject = no));
    death.catch(() => {});
    const life: Life = {
      worker,
      api,
      death,
      die: (reason) => {
        if (this.#life === life) this.#life = null;
        api[releaseProxy]();
        worker.terminate();
        reject(
          new EngineDiedError(
            `The engine stopped (${reason}). It starts anew when it is next used; a saved run goes on from its last checkpoint.`,
          ),
        );
      },
    };
    worker.addEventListener('error', (event) => {
      const { message } = event as ErrorEvent;
      life.die(message || 'its program could not be loaded');
    });
    worker.addEventListener('messageerror', () => life.die('a message could not be read'));
    void api.setBase(this.#base()).catch(() => {});
    return life;
  }
}

/** Not every browser sends a file's place in its folder along. */
const withPaths = <T extends ChosenFiles>(chosen: T): T => ({ ...chosen, paths: chosenPaths(chosen) });
const sendable = (address: ModelAddress) => (address.kind === 'files' ? withPaths(address) : address);

/** Tells a run's viewer when the worker dies under it: a run must not just fall silent. */
function watchRun(onEvent: (event: RunEvent) => void, death: Promise<never>): (event: RunEvent) => void {
  let step = 0;
  let going = false;
  death.catch((error: Error) => {
    if (going) onEvent({ type: 'failed', step, reason: error.message });
    going = false;
  });
  return (event) => {
    if (event.type === 'step') step = event.step;
    going = event.type !== 'finished' && event.type !== 'failed';
    onEvent(event);
  };
}

/** A call with a callback as an iterable of tokens. Leaving the loop or aborting ends the answer on the other side. */
async function* streamTokens(
  generate: (onToken: (token: ChatToken) => void) => Promise<void>,
  abort: () => void,
  signal: AbortSignal,
  { max_tokens }: GenerateRequest,
): AsyncGenerator<ChatToken> {
  if (signal.aborted || max_tokens <= 0) return;
  const waiting: ChatToken[] = [];
  let wake: () => void = () => {};
  let over = false;
  const finished = generate((token) => {
    waiting.push(token);
    wake();
  }).finally(() => {
    over = true;
    wake();
  });
  // It is awaited below; an early leaver doesn't.
  finished.catch(() => {});
  const stop = () => {
    over = true;
    abort();
    wake();
  };
  signal.addEventListener('abort', stop);
  try {
    for (;;) {
      if (signal.aborted) return;
      const token = waiting.shift();
      if (token) yield token;
      else if (over) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    await finished;
  } finally {
    signal.removeEventListener('abort', stop);
    if (!over) abort();
  }
}

let shared: EngineClient | null = null;

/** The page's engine; its worker is started by the first use. */
export function engine(): EngineClient {
  shared ??= new EngineClient();
  return shared;
}
