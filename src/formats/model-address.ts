/** @file Where a model is to be had: the Hugging Face Hub, a web server, files that the user chose, or the store. */

/** `main`, as everywhere on the Hub. */
export const DEFAULT_REVISION = 'main';
export const HUB_ENDPOINT = 'https://huggingface.co';

export type ModelAddress =
  | {
      kind: 'hub';
      /** `owner/name`. */
      repo: string;
      /** Branch, tag or commit; `main` when left out. What is stored is pinned to the commit found there. */
      revision?: string;
      /** One .gguf of the repository; left out, the safetensors, or the best .gguf where there are none. */
      file?: string;
      /** Another server that speaks the Hub's protocol. */
      endpoint?: string;
    }
  /** A .gguf, or the folder that a config.json lies in. */
  | { kind: 'url'; url: string }
  /** One .gguf, or the files of a folder (their `webkitRelativePath` counts). */
  | { kind: 'files'; files: File[] }
  | { kind: 'stored'; id: string };

/** An address that can't be one; the message says what would be. */
export class ModelAddressError extends Error {
  override name = 'ModelAddressError';
}
