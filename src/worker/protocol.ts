/**
 * @file What the page and the engine's worker say to each other. Models and trainers cross as Comlink proxies of the two
 * interfaces that everything else uses (src/runs/chat-model.ts, src/runs/trainer.ts), so no operation is described twice.
 */
import type { ProxyMarked } from 'comlink';
import type { LookedAt } from '../engine/library/downloads';
import type { LoadOptions, LoadProgress } from '../engine/load-options';
import type { ProbeResult } from '../engine/probe';
import type { ChosenFiles, ModelAddress } from '../formats/hub/model-address';
import type { DownloadProgress, ModelSummary, StorageUse, StoredModel } from '../formats/hub/stored-model';
import type { RunConfig } from '../rl/config';
import type { OpenChatModel } from '../runs/chat-model';
import type { Trainer } from '../runs/trainer';

/** A model on this device: by name (see src/runs/model-id.ts), or files of the user's that are read where they are. */
export type ModelRef = { name: string } | ChosenFiles;

/** What the page needs to know of a model before it opens it. */
export interface ModelFacts {
  name: string;
  /** Whether it reads language, and not only the characters of the toy tasks. */
  readsLanguage: boolean;
  /** Whether it is an adapter on another model. */
  adapter: boolean;
  /** Tokens that it can keep in view. */
  context: number;
}

/** Models that can be downloaded and stored. Every error's message is for the user. */
export interface ModelLibrary {
  /** Looks at a model without downloading its weights. @throws when it isn't there or can't be computed here */
  inspectModel(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary>;
  storedModels(): Promise<StoredModel[]>;
  /**
   * Downloads a model into the store, or copies files there; continues where an earlier download of it broke off.
   * @throws DOMException AbortError when cancelled: what is stored by then stays
   */
  downloadModel(
    address: ModelAddress,
    onProgress?: (progress: DownloadProgress) => void,
    signal?: AbortSignal,
  ): Promise<StoredModel>;
  /** Cancels a download that was started anywhere on this page; does nothing when there is none. */
  cancelDownload(id: string): Promise<void>;
  removeModel(id: string): Promise<void>;
  storageUse(): Promise<StorageUse>;
}

/** The worker's side. A call with a callback resolves only when the callback has seen everything that the call caused. */
export interface EngineApi extends Omit<ModelLibrary, 'inspectModel'> {
  /** Takes over what a disposable worker found in a model, so that its download need not look again. */
  rememberModel(looked: LookedAt): Promise<void>;
  /** Where the page is, so that models/ is found beside it. To be called first. */
  setBase(base: string): void;
  /** Answers as soon as the worker gets round to it (heartbeat.ts). */
  ping(): void;
  probe(): Promise<ProbeResult>;
  describeModel(ref: ModelRef): Promise<ModelFacts>;
  /** Bytes of GPU memory that a run needs, by what they are for, computed before anything large is loaded. */
  planRun(config: RunConfig): Promise<Record<string, number>>;
  createTrainer(): Trainer & ProxyMarked;
  /** @throws Error with a message for the user; AbortError */
  openChatModel(
    ref: ModelRef,
    options: LoadOptions,
    onProgress: (progress: LoadProgress) => void,
    signal: AbortSignal | null,
  ): Promise<OpenChatModel & ProxyMarked>;
}
