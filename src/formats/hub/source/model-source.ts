/** @file A model at its source, with every file of it pinned: what the store copies from. */
import type { ModelFiles, RangedFile } from '../../files/model-files';
import type { ModelOrigin } from '../stored-model';
import { textHash } from '../store/content-hash';
import type { ContentHash } from '../store/content-hash';

export interface PinnedFile {
  path: string;
  bytes: number;
  /** The content must have this hash, where the source gives one. */
  hash?: ContentHash;
  /** Otherwise identifies the version of the file: an ETag, or the time of the last change. */
  version?: string;
}

export interface ModelSource {
  /** The same for the same model at the same revision. It names the model's folder in the store. */
  id: string;
  name: string;
  origin: ModelOrigin;
  licence: string | null;
  files: PinnedFile[];
  /** Other .gguf files of the same repository. */
  choices: { file: string; bytes: number }[];
  /** Things the user should know, as sentences. */
  notices: string[];
  open(file: PinnedFile): RangedFile;
}

/** A source in the form that models are opened from. */
export function sourceFiles({ name, files, open }: Pick<ModelSource, 'name' | 'files' | 'open'>): ModelFiles {
  return {
    name,
    list: () => Promise.resolve(files.map(({ path }) => path)),
    open(path) {
      const file = files.find((each) => each.path === path);
      return Promise.resolve(file ? open(file) : null);
    },
  };
}

/** A readable name with a hash of the model's origin: letters, digits, `.`, `_` and `-` only. */
export async function modelId(name: string, origin: unknown): Promise<string> {
  const readable = name.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return `${readable.slice(-80)}-${(await textHash(JSON.stringify(origin))).slice(0, 10)}`;
}
