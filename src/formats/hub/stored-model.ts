/** @file Descriptions of models that are stored or can be stored, shared by the store, the worker and the page. */
import type { DecoderConfig } from '../hf/hf-config';

/** Where a model came from, down to the commit. */
export type ModelOrigin =
  | { kind: 'hub'; endpoint: string; repo: string; revision: string; file?: string }
  | { kind: 'url'; url: string }
  | { kind: 'file'; name: string };

/** What a model is, as the Models page lists it. */
export interface ModelFacts {
  name: string;
  origin: ModelOrigin;
  /** As the model card names it (`apache-2.0`, `llama3.2`); null when it names none. */
  licence: string | null;
  /** The Transformers class, for example `Qwen2ForCausalLM`. */
  architecture: string;
  /** Number of trained parameters. */
  parameters: number;
  /** The data type of most weights: `BF16`, `Q4_K`. */
  quantisation: string;
}

/** A model found at its address, with its config checked, before any weights are downloaded. */
export interface ModelSummary extends ModelFacts {
  /** The id that it has, or would have, in the store. */
  id: string;
  config: DecoderConfig;
  /** What will be downloaded. */
  files: { path: string; bytes: number }[];
  /** Bytes of all files. */
  bytes: number;
  /** Bytes that are already stored; `complete` says whether that is everything. */
  storedBytes: number;
  complete: boolean;
  /** Other .gguf files of the repository, for the address's `file`. */
  choices: { file: string; bytes: number }[];
  /** Things the user should know, as sentences: for example that a download can't be resumed. */
  notices: string[];
}

export interface StoredModel extends ModelFacts {
  /** `store:<id>` names the model for `openChatModel`. */
  id: string;
  /** Bytes of all files, and of those that are in the store. */
  bytes: number;
  storedBytes: number;
  /** Every file is here and verified. `downloadModel({kind: 'stored', id})` resumes an incomplete model. */
  complete: boolean;
  /** Milliseconds since 1970. */
  added: number;
}

export interface DownloadProgress {
  id: string;
  /** `checking`: what an earlier attempt stored is being read and hashed again. */
  phase: 'checking' | 'downloading';
  /** Path of the current file. */
  file: string;
  /** Bytes of all files, stored so far and in total. While checking: bytes checked so far. */
  bytes: number;
  total: number;
  /** Speed over the last few seconds; 0 until known. */
  bytesPerSecond: number;
  /** Null until known. */
  secondsLeft: number | null;
  /** Something that the user should know, as a sentence: for example a retry after a broken connection. */
  notice?: string;
}

export interface StorageUse {
  /** Bytes in use by this site, and how many the browser allows; null where the browser doesn't say. */
  usage: number | null;
  quota: number | null;
  /** Whether the browser promised not to delete them by itself; null where it can't promise. */
  persisted: boolean | null;
}
