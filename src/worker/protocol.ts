/** @file What the page and the engine's worker say to each other: the worker's side of it as one interface, for Comlink. */
import type { ProbeResult } from '../engine/probe';
import type { ChosenFiles, ModelAddress } from '../formats/hub/model-address';
import type { DownloadProgress, ModelSummary, StorageUse, StoredModel } from '../formats/hub/stored-model';
import type { LiveConfig, RunConfig } from '../rl/config';
import type { RunEvent } from '../runs/events';
import type { LoadOptions, LoadProgress, PrepareProgress } from '../engine/load-options';
import type { GenerateRequest, ChatToken, RecommendedSampling } from '../runs/chat-model';
import type { Resume } from '../runs/trainer';

/** The page's side of models that are downloaded and stored. Every error's message is for the user. */
export interface ModelLibrary {
  /** Looks at a model without downloading its weights. @throws when it isn't there or can't be computed here */
  inspectModel(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary>;
  storedModels(): Promise<StoredModel[]>;
  /**
   * Downloads a model into the store, or copies files there; goes on where an earlier download of it broke off.
   * @throws DOMException AbortError when cancelled: what is stored by then stays, and the next download goes on from it
   */
  downloadModel(
    address: ModelAddress,
    onProgress?: (progress: DownloadProgress) => void,
    signal?: AbortSignal,
  ): Promise<StoredModel>;
  /** Cancels a download that was started anywhere on this page; nothing when there is none. */
  cancelDownload(id: string): Promise<void>;
  removeModel(id: string): Promise<void>;
  storageUse(): Promise<StorageUse>;
}

/**
 * A model to talk to: by name (one below models/, `run:<id>@<step>`, also of adapters, `file:<name>`, or `store:<id>` of a
 * downloaded one), in files of the user's that are read where they are, or the one that a trainer has just now. The options are
 * for downloaded models and files.
 */
export type ChatModelRef = NamedModel | FilesModel | { trainer: number };
export interface NamedModel {
  name: string;
  options?: LoadOptions;
}
export interface FilesModel extends ChosenFiles {
  options?: LoadOptions;
}

/**
 * What the worker does. Trainers and policies are numbered and live in the worker until they are released. A call with
 * a callback resolves only when the callback has seen everything that the call brought about. Calls that take long are
 * given a number by the caller, by which they can be cancelled.
 */
export interface EngineApi {
  /** Where the page is, so that models/ is found beside it. To be called first. */
  setBase(base: string): void;
  probe(): Promise<ProbeResult>;
  /** Bytes of GPU memory that a run needs, by what they are for, computed before anything large is loaded. */
  plan(config: RunConfig): Promise<Record<string, number>>;

  createTrainer(onWarning: (message: string) => void, onPreparing?: (progress: PrepareProgress) => void): number;
  start(trainer: number, config: RunConfig, onEvent: (event: RunEvent) => void, resume?: Resume): Promise<void>;
  resume(trainer: number): Promise<void>;
  pause(trainer: number): Promise<void>;
  step(trainer: number): Promise<void>;
  stop(trainer: number): Promise<void>;
  update(trainer: number, change: LiveConfig): Promise<void>;
  exportModel(trainer: number): Promise<Map<string, Uint8Array>>;

  openChatModel(task: number, model: ChatModelRef, onProgress?: (progress: LoadProgress) => void): Promise<number>;
  /** What its makers recommend; empty where they recommend nothing. */
  recommendedSampling(policy: number): RecommendedSampling;
  /** Resolves at the end of the answer, or soon after `abort`. */
  generate(policy: number, request: GenerateRequest, onToken: (token: ChatToken) => void): Promise<void>;
  abort(policy: number): void;
  closeChatModel(policy: number): void;

  inspectModel(task: number, address: ModelAddress): Promise<ModelSummary>;
  storedModels(): Promise<StoredModel[]>;
  downloadModel(
    task: number,
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<StoredModel>;
  cancelDownload(id: string): void;
  removeModel(id: string): Promise<void>;
  storageUse(): Promise<StorageUse>;
  /** Makes the call that was given this number fail with an AbortError, if it is still going on. */
  cancelTask(task: number): void;
}
