/** @file The worker's side: models and trainers on this machine's engine, kept in order. */
import { proxy, type ProxyMarked } from 'comlink';
import type { ChosenAdapter, LoadOptions, LoadProgress } from '../engine/load-options';
import type { LookedAt, ModelDownloads } from '../engine/library/downloads';
import { ModelResolver } from '../engine/library/model-resolver';
import type { LocalEngine } from '../engine/local-engine';
import { describeProbe, probe, type ProbeResult } from '../engine/probe';
import { LocalTrainer } from '../engine/training/local-trainer';
import { mapFiles } from '../formats/files/memory-files';
import { urlFiles } from '../formats/files/url-files';
import type { ModelAddress } from '../formats/hub/model-address';
import type { DownloadProgress, StorageUse, StoredModel } from '../formats/hub/stored-model';
import { tokenizerOf, type Model } from '../formats/model';
import { openModel } from '../formats/open-model';
import type { RunConfig } from '../rl/config';
import { readsLanguage } from '../rl/prompt';
import type { OpenChatModel } from '../runs/chat-model';
import type { Trainer } from '../runs/trainer';
import { RunStorage } from '../storage/run-storage';
import { hostedChatModel } from './hosted-chat-model';
import { hostedTrainer } from './hosted-trainer';
import { Pipe } from './pipe';
import type { EngineApi, ModelFacts, ModelRef } from './protocol';

export interface HostParts {
  gpu: GPU | undefined;
  engine: Pick<LocalEngine, 'openChatModel' | 'openTraining' | 'planRun'>;
  storage?: RunStorage;
  downloads?: ModelDownloads;
}

export class EngineHost implements EngineApi {
  readonly #parts: HostParts;
  readonly #storage: RunStorage;
  #downloads: Promise<ModelDownloads> | null;
  readonly #models: ModelResolver;
  /** Open chat models that hold much memory, which a training run may need. */
  readonly #large = new Set<OpenChatModel>();
  #base = '';
  #probed: Promise<ProbeResult> | null = null;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#storage = parts.storage ?? new RunStorage();
    this.#downloads = parts.downloads ? Promise.resolve(parts.downloads) : null;
    this.#models = new ModelResolver({
      embedded: (name) => urlFiles(new URL(`models/${name}/`, this.#base).href),
      storage: this.#storage,
      store: {
        list: async () => (await this.#library()).list(),
        files: async (id) => (await this.#library()).files(id),
      },
    });
  }

  setBase(base: string): void {
    this.#base = base;
  }

  ping(): void {}

  probe(): Promise<ProbeResult> {
    this.#probed ??= probe(this.#parts.gpu);
    return this.#probed;
  }

  async describeModel(ref: ModelRef): Promise<ModelFacts> {
    const model = await this.#open(ref);
    const { name, config, adapter } = model;
    return {
      name,
      readsLanguage: readsLanguage(tokenizerOf(model)),
      adapter: adapter !== null,
      context: config.max_position_embeddings,
    };
  }

  async planRun(config: RunConfig): Promise<Record<string, number>> {
    return this.#parts.engine.planRun(await this.#models.open(config.model), config);
  }

  createTrainer(): Trainer & ProxyMarked {
    let device = 'unknown';
    const { engine } = this.#parts;
    const trainer = new LocalTrainer({
      openModel: async (name) => {
        const probed = await this.probe();
        if (!probed.available) throw new Error(probed.message);
        device = describeProbe(probed);
        return this.#models.open(name);
      },
      openSession: (config, model, tell) => {
        if (readsLanguage(tokenizerOf(model))) this.#makeRoom(tell.warning);
        return engine.openTraining(model, config, tell);
      },
      openChatModel: (model) => engine.openChatModel(model),
      device: () => device,
      saveCheckpoint: (run, step, bytes) => this.#storage.saveCheckpoint(run, step, bytes),
      loadCheckpoint: (run, step) => this.#storage.loadCheckpoint(run, step),
    });
    return proxy(hostedTrainer(trainer));
  }

  async openChatModel(
    ref: ModelRef,
    { adapter, ...options }: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal | null,
  ): Promise<OpenChatModel & ProxyMarked> {
    const opened = await this.#open(ref, signal ?? undefined);
    const model = adapter ? await this.#models.adapted(opened, await filesOf(adapter)) : opened;
    const pipe = new Pipe(onProgress);
    const report = (progress: LoadProgress) => pipe.send(progress);
    const chat = await this.#parts.engine.openChatModel(model, {
      ...options,
      onProgress: report,
      ...(signal && { signal }),
    });
    await pipe.drained();
    const hosted = hostedChatModel(chat, () => this.#large.delete(hosted));
    if (chat.readsLanguage !== false) this.#large.add(hosted);
    return proxy(hosted);
  }

  async rememberModel(looked: LookedAt): Promise<void> {
    (await this.#library()).remember(looked);
  }

  async storedModels(): Promise<StoredModel[]> {
    return (await this.#library()).list();
  }

  async downloadModel(
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void = () => {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<StoredModel> {
    const pipe = new Pipe(onProgress);
    const downloads = await this.#library();
    const model = await downloads.download(address, (progress) => pipe.send(progress), signal);
    await pipe.drained();
    return model;
  }

  async cancelDownload(id: string): Promise<void> {
    (await this.#library()).cancel(id);
  }

  async removeModel(id: string): Promise<void> {
    await (await this.#library()).remove(id);
  }

  async storageUse(): Promise<StorageUse> {
    return (await this.#library()).use();
  }

  /** Downloads bring code that the page's first seconds don't wait for. */
  #library(): Promise<ModelDownloads> {
    this.#downloads ??= import('../engine/library/downloads').then((module) => new module.ModelDownloads());
    return this.#downloads;
  }

  async #open(ref: ModelRef, signal?: AbortSignal): Promise<Model> {
    if ('files' in ref) {
      const [{ openChosenFiles }, { sourceFiles }] = await Promise.all([
        import('../formats/hub/source/chosen-files'),
        import('../formats/hub/source/model-source'),
      ]);
      return openModel(sourceFiles(await openChosenFiles(ref)), signal);
    }
    return this.#models.open(ref.name, signal);
  }

  /** A run on a large model takes the memory of those that are only chatted with; these are opened again when asked. */
  #makeRoom(warning: (message: string) => void): void {
    if (this.#large.size === 0) return;
    for (const chat of [...this.#large]) chat.close();
    warning('The model that was open for chat was closed, to give its memory to this run.');
  }
}

async function filesOf({ name, files }: ChosenAdapter) {
  const bytes = files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const);
  return mapFiles(name, new Map(await Promise.all(bytes)));
}
