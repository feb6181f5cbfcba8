/**
 * @file Models too large for the JavaScript heap: files that are read by ranges, and what is known of a model before any
 * of its weights are read. A model comes from a Hugging Face folder (safetensors, one file or sharded) or from one GGUF
 * file, and both look the same from here up.
 */
import type { StoredType } from '../gguf/stored-types';

/** A file of known size whose ranges can be streamed. */
export interface RangedFile {
  /** For messages: path or address. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /**
   * The bytes from `begin` to before `end`, in order, in pieces of at most a few megabytes that the reader may keep.
   * @throws Error with a message for the user when they can't be read, or DOMException AbortError
   */
  read(begin: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** The files of one model: a folder, or a single .gguf under its file name. */
export interface ModelFiles {
  /** For messages and as the model's name. */
  readonly name: string;
  /** Paths, where they can be listed; null where only asking by name is possible (a plain web server). */
  list(): Promise<string[] | null>;
  /** A file by its path, or null when there is none. @throws Error with a message for the user */
  open(path: string): Promise<RangedFile | null>;
}

export interface TensorEntry {
  /** Hugging Face's name, also for a GGUF: `model.layers.0.self_attn.q_proj.weight`. */
  name: string;
  /** As PyTorch has it: [out, in] for a matrix. */
  shape: number[];
  type: StoredType;
  file: RangedFile;
  /** Of the tensor's data in the file. */
  begin: number;
  bytes: number;
  /**
   * Set for the query and key projections of GGUF files of the llama architecture: their rows are stored with each
   * head's two halves interleaved. Row r of a head, in Hugging Face's order, is stored row 2r (r < head_dim / 2) or
   * 2(r − head_dim / 2) + 1 of that head.
   */
  interleavedHeads?: number;
}
