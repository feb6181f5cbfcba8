/** @file Where a model can be found: on the Hugging Face Hub, on a web server, in files that the user chose, or in the store. */
import { t } from '../../i18n';

/** The Hub's default branch. */
export const DEFAULT_REVISION = 'main';
export const HUB_ENDPOINT = 'https://huggingface.co';

/** One .gguf, or the files of a folder. */
export interface ChosenFiles {
  files: File[];
  /**
   * Each file's path in the same order, beginning with the folder's own name. Needed where the files don't know it: for a
   * dropped folder, and after files were sent to a worker. Left out, it is each file's `webkitRelativePath` or name.
   */
  paths?: string[];
}

export type ModelAddress =
  | {
      kind: 'hub';
      /** `owner/name`. */
      repo: string;
      /** Branch, tag or commit; `main` when left out. A stored model is pinned to the commit found there. */
      revision?: string;
      /** One .gguf of the repository. Left out, the safetensors are used, or the best .gguf where there are none. */
      file?: string;
      /** Another server with the Hub's API. */
      endpoint?: string;
    }
  /** A .gguf, or the folder that contains a config.json. */
  | { kind: 'url'; url: string }
  | ({ kind: 'files' } & ChosenFiles)
  | { kind: 'stored'; id: string };

/** Not the address of a model. The message says what an address looks like. */
export class ModelAddressError extends Error {
  override name = 'ModelAddressError';
}

/**
 * Reads what a person types or pastes: `owner/name`, `owner/name@revision`, `owner/name/file.gguf`, the address of a page
 * on the Hub, or any other address.
 * @throws ModelAddressError
 */
export function parseModelAddress(text: string): ModelAddress {
  const trimmed = text.trim();
  if (trimmed.startsWith('store:')) return { kind: 'stored', id: trimmed.slice('store:'.length) };
  if (!/^https?:\/\//i.test(trimmed)) {
    const match = /^([^/\s@]+\/[^/\s@]+)(?:@([^\s/]+))?(?:\/(\S+\.gguf))?$/i.exec(trimmed);
    if (!match) throw new ModelAddressError(t('models:address.notAModel', { text: trimmed }));
    return hubAddress(match[1]!, match[2], match[3]);
  }
  if (!URL.canParse(trimmed)) throw new ModelAddressError(t('models:address.notAUrl', { text: trimmed }));
  const url = new URL(trimmed);
  if (url.origin !== HUB_ENDPOINT && url.host !== 'hf.co') return { kind: 'url', url: trimmed };
  const [owner, name, page, revision, ...path] = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  if (!owner || !name) throw new ModelAddressError(t('models:address.notAModelPage', { text: trimmed }));
  const isFile = page === 'blob' || page === 'resolve';
  return hubAddress(`${owner}/${name}`, isFile || page === 'tree' ? revision : undefined, isFile ? path.join('/') : '');
}

/** The address of a file that isn't a .gguf stands for its repository. */
function hubAddress(repo: string, revision?: string, file?: string): ModelAddress {
  return { kind: 'hub', repo, ...(revision && { revision }), ...(file && /\.gguf$/i.test(file) && { file }) };
}
