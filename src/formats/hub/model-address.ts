/** @file Where a model is to be had: the Hugging Face Hub, a web server, files that the user chose, or the store. */

/** `main`, as everywhere on the Hub. */
export const DEFAULT_REVISION = 'main';
export const HUB_ENDPOINT = 'https://huggingface.co';

/** One .gguf, or the files of a folder. */
export interface ChosenFiles {
  files: File[];
  /**
   * Their paths with the folder's own name, in the same order, where the files don't know: those of a dropped folder,
   * and all that were sent to a worker. Left out, each file's `webkitRelativePath` or name.
   */
  paths?: string[];
}

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
  | ({ kind: 'files' } & ChosenFiles)
  | { kind: 'stored'; id: string };

/** An address that can't be one; the message says what would be. */
export class ModelAddressError extends Error {
  override name = 'ModelAddressError';
}

/**
 * What a person types or pastes: `owner/name`, `owner/name@revision`, `owner/name/file.gguf`, an address of the Hub's
 * pages, or any other address.
 * @throws ModelAddressError
 */
export function parseModelAddress(text: string): ModelAddress {
  const trimmed = text.trim();
  if (trimmed.startsWith('store:')) return { kind: 'stored', id: trimmed.slice('store:'.length) };
  if (!/^https?:\/\//i.test(trimmed)) {
    const match = /^([^/\s@]+\/[^/\s@]+)(?:@([^\s/]+))?(?:\/(\S+\.gguf))?$/i.exec(trimmed);
    if (!match) {
      throw new ModelAddressError(
        `'${trimmed}' is neither the name of a model, such as Qwen/Qwen2.5-0.5B-Instruct, nor an address.`,
      );
    }
    return hubAddress(match[1]!, match[2], match[3]);
  }
  let url: URL;
  try {
    url = new URL(trimmed);
  } catch {
    throw new ModelAddressError(`'${trimmed}' is not an address.`);
  }
  if (url.origin !== HUB_ENDPOINT && url.host !== 'hf.co') return { kind: 'url', url: trimmed };
  const [owner, name, page, revision, ...path] = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  if (!owner || !name) throw new ModelAddressError(`'${trimmed}' is not the page of a model.`);
  const isFile = page === 'blob' || page === 'resolve';
  return hubAddress(`${owner}/${name}`, isFile || page === 'tree' ? revision : undefined, isFile ? path.join('/') : '');
}

/** Of a file that isn't a .gguf, its repository is meant. */
function hubAddress(repo: string, revision?: string, file?: string): ModelAddress {
  return { kind: 'hub', repo, ...(revision && { revision }), ...(file && /\.gguf$/i.test(file) && { file }) };
}
