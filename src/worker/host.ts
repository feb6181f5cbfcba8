/**
 * @file The worker's side: trainers and policies on this machine's engine. The engine itself is handed in (see
 * engine.worker.ts), so that this file, which only keeps order, runs and is tested without a GPU.
 */
import { transfer } from 'comlink';
import { urlSource } from '../formats/files/file-source';
import type { DecoderConfig } from '../formats/hf/hf-config';
import type { ModelAddress } from '../formats/hub/model-address';
import type { OpenedModel } from '../formats/files/model-files';
import { loadModelText } from '../formats/hf/model-folder';
import type { ModelFolder } from '../formats/hf/model-folder';
import type { DownloadProgress, ModelSummary, StorageUse, StoredModel } from '../formats/hub/stored-model';
import type { LiveConfig, RunConfig } from '../rl/config';
import type { EngineSession, SessionFactory } from '../rl/session';
import { LocalTrainer } from '../engine/local-trainer';
import { asChosen, findAdapter, findModel, loadNamedModel } from '../engine/models';
import type { ModelPlaces } from '../engine/models';
import type { RunEvent } from '../runs/events';
import type { LoadOptions, LoadProgress, PrepareProgress } from '../engine/load-options';
import type { GenerateRequest, ChatModel, ChatToken, RecommendedSampling } from '../runs/chat-model';
import { RunStorage } from '../storage/run-storage';
import type { Resume } from '../runs/trainer';
import { WorkerModels } from './models';
import type { OpenModel } from './models';
import { describeProbe, probe } from '../engine/probe';
import type { EngineApi, FilesModel, NamedModel, ChatModelRef } from './protocol';
import type { ProbeResult } from '../engine/probe';

/** What only the engine can do. */
export interface EngineParts {
  gpu: GPU | undefined;
  createSession(
    ...args: [...Parameters<SessionFactory>, onProgress: (progress: PrepareProgress) => void]
  ): ReturnType<SessionFactory>;
  /** A session on a device of its own in which adapters of a downloaded model learn. @throws OutOfMemoryError */
  createLoraSession(
    config: RunConfig,
    opened: OpenedModel,
    onNotice: (message: string) => void,
    onProgress: (progress: PrepareProgress) => void,
  ): Promise<EngineSession>;
  /** A policy on a device of its own. */
  createChatModel(folder: ModelFolder): Promise<ChatModel & { close(): void }>;
  openModel: OpenModel;
  /** A policy on a device of its own, its weights streamed there. @throws AbortError when the signal says so */
  createPackedChatModel(
    opened: OpenedModel,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<ChatModel & { close(): void }>;
  /** Bytes by what they are for. */
  planMemory(config: RunConfig, model: DecoderConfig): Promise<Record<string, number>>;
  /** Likewise, of a run of adapters. */
  planLoraMemory(config: RunConfig, opened: OpenedModel): Promise<Record<string, number>>;
}

interface HostedChatModel {
  policy: ChatModel & { close(): void };
  sampling: RecommendedSampling;
  /** Holds gigabytes, maybe. */
  large: boolean;
  abort: AbortController | null;
}

export class EngineHost implements EngineApi {
  readonly #parts: EngineParts;
  readonly #storage: RunStorage;
  readonly #trainers = new Map<number, LocalTrainer>();
  readonly #pipes = new Map<number, Pipe>();
  readonly #policies = new Map<number, HostedChatModel>();
  readonly #models: WorkerModels;
  readonly #tasks = new Map<number, AbortController>();
  #base = '';
  #probed: Promise<ProbeResult> | null = null;
  #nextId = 1;

  constructor(parts: EngineParts, storage = new RunStorage(), models = new WorkerModels(parts.openModel)) {
    this.#parts = parts;
    this.#storage = storage;
    this.#models = models;
  }

  setBase(base: string): void {
    this.#base = base;
  }

  probe(): Promise<ProbeResult> {
    this.#probed ??= probe(this.#parts.gpu);
    return this.#probed;
  }

  async plan(config: RunConfig): Promise<Record<string, number>> {
    if (WorkerModels.isStored(config.model)) {
      return this.#parts.planLoraMemory(config, await this.#models.open({ name: config.model }));
    }
    const { config: model } = await loadModelText(await findModel(config.model, this.#places()));
    return this.#parts.planMemory(config, model);
  }

  createTrainer(
    onWarning: (message: string) => void,
    onPreparing: (progress: PrepareProgress) => void = () => {},
  ): number {
    // A page shows one run: of those that ended, the weights need not be held any longer.
    for (const [old, { hasEnded }] of this.#trainers) {
      if (!hasEnded) continue;
      this.#trainers.delete(old);
      this.#pipes.delete(old);
    }
    const id = this.#nextId++;
    let device = 'unknown';
    let opened: OpenedModel | null = null;
    const trainer = new LocalTrainer({
      loadModel: async (name) => {
        const probed = await this.probe();
        if (!probed.available) throw new Error(probed.message);
        device = describeProbe(probed);
        if (!WorkerModels.isStored(name)) return loadNamedModel(name, this.#places());
        opened = await this.#models.open({ name });
        // The run loop asks for sizes and tokenizer; the weights go from their files straight to the GPU.
        return { ...opened, tensors: new Map(), files: new Map() };
      },
      createSession: (config, folder, onNotice) => {
        if (opened) {
          this.#makeRoom(onNotice);
          return this.#parts.createLoraSession(config, opened, onNotice, onPreparing);
        }
        if (config.lora_r !== null) {
          throw new Error(
            'Adapters are trained on downloaded models here: choose one of them, or leave the rank empty.',
          );
        }
        return this.#parts.createSession(config, folder, onNotice, onPreparing);
      },
      device: () => device,
      saveCheckpoint: (run, step, bytes) => this.#storage.saveCheckpoint(run, step, bytes),
      loadCheckpoint: (run, step) => this.#storage.loadCheckpoint(run, step),
      onWarning,
    });
    this.#trainers.set(id, trainer);
    return id;
  }

  async start(id: number, config: RunConfig, onEvent: (event: RunEvent) => void, resume?: Resume): Promise<void> {
    const pipe = new Pipe(onEvent as (event: RunEvent) => unknown);
    this.#pipes.set(id, pipe);
    await this.#trainer(id).start(config, (event) => pipe.send(event), resume);
    await pipe.drained();
  }

  // Not awaited: the run goes on by itself, and its events tell how.
  resume(id: number): Promise<void> {
    this.#trainer(id).resume();
    return Promise.resolve();
  }

  pause(id: number): Promise<void> {
    return this.#delivered(id, (trainer) => trainer.pause());
  }

  step(id: number): Promise<void> {
    return this.#delivered(id, (trainer) => trainer.step());
  }

  stop(id: number): Promise<void> {
    return this.#delivered(id, (trainer) => trainer.stop());
  }

  update(id: number, change: LiveConfig): Promise<void> {
    return this.#delivered(id, (trainer) => Promise.resolve(trainer.update(change)));
  }

  async exportModel(id: number): Promise<Map<string, Uint8Array>> {
    const files = await this.#trainer(id).exportModel();
    // Only the weights are this map's own; the small files are kept for the next export.
    const weights = files.get('model.safetensors');
    return weights ? transfer(files, [weights.buffer]) : files;
  }

  async openChatModel(
    task: number,
    model: ChatModelRef,
    onProgress: (progress: LoadProgress) => void = () => {},
  ): Promise<number> {
    const opened = await this.#task(task, (signal) => this.#createChatModel(model, onProgress, signal));
    const id = this.#nextId++;
    this.#policies.set(id, { ...opened, abort: null });
    return id;
  }

  recommendedSampling(id: number): RecommendedSampling {
    return this.#policy(id).sampling;
  }

  async generate(id: number, request: GenerateRequest, onToken: (token: ChatToken) => void): Promise<void> {
    const open = this.#policy(id);
    if (open.abort) throw new Error('This model is still answering.');
    const abort = (open.abort = new AbortController());
    const pipe = new Pipe(onToken as (token: ChatToken) => unknown);
    try {
      for await (const token of open.policy.generate(request, abort.signal)) {
        if (abort.signal.aborted) break;
        pipe.send(token);
      }
      await pipe.drained();
    } finally {
      open.abort = null;
    }
  }

  abort(id: number): void {
    this.#policies.get(id)?.abort?.abort();
  }

  closeChatModel(id: number): void {
    this.abort(id);
    this.#policies.get(id)?.policy.close();
    this.#policies.delete(id);
  }

  inspectModel(task: number, address: ModelAddress): Promise<ModelSummary> {
    return this.#task(task, (signal) => this.#models.inspect(address, signal));
  }

  storedModels(): Promise<StoredModel[]> {
    return this.#models.list();
  }

  async downloadModel(
    task: number,
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<StoredModel> {
    const pipe = new Pipe(onProgress as (progress: DownloadProgress) => unknown);
    const send = (progress: DownloadProgress) => pipe.send(progress);
    const model = await this.#task(task, (signal) => this.#models.download(address, send, signal));
    await pipe.drained();
    return model;
  }

  cancelDownload(id: string): void {
    this.#models.cancel(id);
  }

  removeModel(id: string): Promise<void> {
    return this.#models.remove(id);
  }

  storageUse(): Promise<StorageUse> {
    return this.#models.use();
  }

  cancelTask(task: number): void {
    this.#tasks.get(task)?.abort();
  }

  async #task<T>(task: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    this.#tasks.set(task, abort);
    try {
      return await work(abort.signal);
    } finally {
      this.#tasks.delete(task);
    }
  }

  async #createChatModel(
    model: ChatModelRef,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal,
  ): Promise<Omit<HostedChatModel, 'abort'>> {
    const large = await this.#largeModel(model);
    if (!large) {
      const folder =
        'trainer' in model
          ? await this.#trainer(model.trainer).currentModel()
          : await loadNamedModel((model as NamedModel).name, this.#places());
      return { policy: await this.#parts.createChatModel(folder), sampling: {}, large: false };
    }
    const opened = await this.#models.open(large, signal);
    const pipe = new Pipe(onProgress as (progress: LoadProgress) => unknown);
    const send = (progress: LoadProgress) => pipe.send(progress);
    const policy = await this.#parts.createPackedChatModel(opened, large.options ?? {}, send, signal);
    await pipe.drained();
    return { policy, sampling: opened.sampling, large: true };
  }

  /** The downloaded model or the files that are meant, with the adapters of a run; null for a small model. */
  async #largeModel(model: ChatModelRef): Promise<NamedModel | FilesModel | null> {
    if ('files' in model) return model;
    if ('trainer' in model) {
      const trainer = this.#trainer(model.trainer);
      if (trainer.adapted === null) return null;
      const adapter = asChosen('the adapters of now', await trainer.exportModel());
      return { name: trainer.adapted, options: { adapter } };
    }
    if (WorkerModels.isStored(model.name)) return model;
    const found = await findAdapter(model.name, this.#places());
    return found && { name: found.base, options: { ...model.options, adapter: found.adapter } };
  }

  /** A run of adapters takes what large models hold that are only talked to: these are opened anew when asked again. */
  #makeRoom(onNotice: (message: string) => void): void {
    const held = [...this.#policies].filter(([, { large }]) => large);
    for (const [id] of held) this.closeChatModel(id);
    if (held.length > 0) onNotice('The model that was open for chat was closed, to give its memory to this run.');
  }

  #places(): ModelPlaces {
    const embedded = (name: string) => urlSource(new URL(`models/${name}/`, this.#base).href);
    return { storage: this.#storage, embedded };
  }

  async #delivered(id: number, work: (trainer: LocalTrainer) => Promise<void>): Promise<void> {
    await work(this.#trainer(id));
    await this.#pipes.get(id)?.drained();
  }

  #trainer(id: number): LocalTrainer {
    const trainer = this.#trainers.get(id);
    if (!trainer) throw new Error('This run is no longer on the engine. Its last checkpoint is among the saved runs.');
    return trainer;
  }

  #policy(id: number): HostedChatModel {
    const policy = this.#policies.get(id);
    if (!policy) throw new Error('This model has been closed.');
    return policy;
  }
}

/**
 * Sends values through a callback on the other side, in order. A message to a callback takes another road than the
 * answer to a call, and may arrive after it; who waits for `drained` before answering is never overtaken.
 */
class Pipe {
  #last: Promise<unknown> = Promise.resolve();
  readonly #callback: (value: never) => unknown;

  constructor(callback: (value: never) => unknown) {
    this.#callback = callback;
  }

  send(value: unknown): void {
    const sent = this.#callback(value as never);
    // A viewer that throws is no reason to stop the run.
    this.#last = Promise.all([this.#last, sent]).catch(() => {});
  }

  async drained(): Promise<void> {
    await this.#last;
  }
}
