/** @file What is said of models that can be stored or are: the words that the store, the worker and the page share. */
import type { DecoderConfig } from '../hf/hf-config';

/** Where a stored model came from, to the commit. */
export type ModelOrigin =
  | { kind: 'hub'; endpoint: string; repo: string; revision: string; file?: string }
  | { kind: 'url'; url: string }
  | { kind: 'file'; name: string };

/** What a model is, as the Models page lists it. */
export interface ModelFacts {
  name: string;
  origin: ModelOrigin;
  /** As the model card names it (`apache-2.0`, `llama3.2`), or null when it doesn't. */
  licence: string | null;
  /** The Transformers class, for example `Qwen2ForCausalLM`. */
  architecture: string;
  /** Number of trained values. */
  parameters: number;
  /** The type that most weights are stored in: `BF16`, `Q4_K`. */
  quantisation: string;
}

/** A model as found at its address, its config checked, before any weights are downloaded. */
export interface ModelSummary extends ModelFacts {
  /** The one it has, or would have, in the store. */
  id: string;
  config: DecoderConfig;
  /** What will be downloaded. */
  files: { path: string; bytes: number }[];
  /** Of all files. */
  bytes: number;
  /** Bytes of it in the store already; `complete` says whether that is all. */
  storedBytes: number;
  complete: boolean;
  /** Other .gguf files of the repository, to be named in the address's `file`. */
  choices: { file: string; bytes: number }[];
  /** Things the reader should know, as sentences: a server without ranges can't resume. */
  notices: string[];
}

export interface StoredModel extends ModelFacts {
  /** `store:<id>` names the model for `openChatModel`. */
  id: string;
  /** Of all files, and how many of them are in the store. */
  bytes: number;
  storedBytes: number;
  /** Every file is here and was verified. An incomplete model goes on with `downloadModel({kind: 'stored', id})`. */
  complete: boolean;
  /** Milliseconds since 1970. */
  added: number;
}

export interface DownloadProgress {
  id: string;
  /** `checking`: what was stored before a break is read and hashed again. */
  phase: 'checking' | 'downloading';
  /** The file at work. */
  file: string;
  /** Of all files: stored so far, and in the end. While checking: read so far, of what was stored. */
  bytes: number;
  total: number;
  /** Over the last few seconds; 0 until known. */
  bytesPerSecond: number;
  /** null until known. */
  secondsLeft: number | null;
  /** Something that the reader should know, as a sentence: a retry after a broken connection. */
  notice?: string;
}

export interface StorageUse {
  /** Bytes in use by this site, and how many the browser lets it use; null where the browser doesn't tell. */
  usage: number | null;
  quota: number | null;
  /** Whether the browser promised not to evict them by itself. */
  persisted: boolean;
}
