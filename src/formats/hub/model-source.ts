/** @file A model at its source, every file of it pinned: what the store copies from, wherever that is. */
import { blobFile, chosenFiles } from '../files/blob-files';
import { textHash } from './content-hash';
import type { ContentHash } from './content-hash';
import { ModelAddressError } from './model-address';
import type { ChosenFiles } from './model-address';
import type { ModelFiles, RangedFile } from '../files/model-files';
import { DownloadError, fetchSmall, findUrlFile, urlFile } from './ranged-url';
import type { FoundFile, HttpOptions } from './ranged-url';
import type { ModelOrigin } from './stored-model';

export interface PinnedFile {
  path: string;
  bytes: number;
  /** What the content must hash to, where the source says. */
  hash?: ContentHash;
  /** What else tells that it is the same file: an ETag, or when it was last changed. */
  version?: string;
}

export interface ModelSource {
  /** The same for the same model at the same revision; names its folder in the store. */
  id: string;
  name: string;
  origin: ModelOrigin;
  licence: string | null;
  files: PinnedFile[];
  /** Other .gguf files beside it. */
  choices: { file: string; bytes: number }[];
  /** Things the reader should know, as sentences. */
  notices: string[];
  open(file: PinnedFile): RangedFile;
}

/** A source in the form that models are read in. */
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

/** A readable name with a hash of where the model came from: letters, digits, `.`, `_` and `-` only. */
export async function modelId(name: string, origin: unknown): Promise<string> {
  const readable = name.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return `${readable.slice(-80)}-${(await textHash(JSON.stringify(origin))).slice(0, 10)}`;
}

/**
 * Files that the user chose: a single .gguf, or those of a folder that a model is read from.
 * @throws ModelAddressError when there is no model among them
 */
export async function openChosenFiles(files: ChosenFiles): Promise<ModelSource> {
  const { folder, paths } = chosenFiles(files);
  const ggufs = [...paths].filter(([path]) => /\.gguf$/i.test(path));
  const single = !paths.has('config.json') && ggufs.length > 0;
  if (single && ggufs.length > 1)
    throw new ModelAddressError('There are several .gguf files here. Choose one of them.');
  if (!single && !paths.has('config.json')) {
    throw new ModelAddressError(
      'There is no model among these files: a .gguf, or a folder with config.json, tokenizer.json and .safetensors.',
    );
  }
  const chosen = single ? ggufs : [...paths].filter(([path]) => isModelFile(path));
  const name = single ? ggufs[0]![0] : (folder ?? 'chosen files');
  const pinned = chosen.map(([path, { size, lastModified }]) => ({ path, bytes: size, version: String(lastModified) }));
  const origin = { kind: 'file' as const, name };
  return {
    id: await modelId(name, [origin, pinned.map(({ path, bytes }) => [path, bytes])]),
    name,
    origin,
    licence: null,
    files: pinned,
    choices: [],
    notices: [],
    open: ({ path }) => blobFile(path, paths.get(path)!),
  };
}

/**
 * A .gguf, or a folder with a config.json, on any web server.
 * @throws ModelAddressError, DownloadError, ConnectionError
 */
export async function openUrlModel(url: string, options: HttpOptions = {}, signal?: AbortSignal): Promise<ModelSource> {
  const address = parseUrl(url);
  const single = /\.gguf$/i.test(address.pathname);
  const base = single ? new URL('.', address) : folderOf(address);
  const name = decodeURIComponent((single ? address : base).pathname.split('/').filter(Boolean).at(-1) ?? base.host);
  const at = (path: string) => {
    const found = new URL(path.split('/').map(encodeURIComponent).join('/'), base);
    found.search = address.search;
    return single ? address.href : found.href;
  };
  const find = (path: string) => findUrlFile(at(path), path, options, signal);
  const found = single ? [await find(name)] : await findFolder(find, (path) => fetchSmall(at(path), path, options));
  const files = found.filter((file) => file !== null);
  if (files.length === 0) throw new DownloadError(`${url} isn't there (404).`);
  const notices = files.every(({ ranges }) => ranges)
    ? []
    : [`${base.host} doesn't give parts of files: a download that breaks off starts over.`];
  const origin = { kind: 'url' as const, url: address.href };
  return {
    id: await modelId(name, origin),
    name,
    origin,
    licence: null,
    files: files.map(({ file }) => file),
    choices: [],
    notices,
    open: (file) => urlFile(at(file.path), file, options),
  };
}

/** Beside the weights, what a tokenizer and a config are read from. */
export const TEXT_FILES = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
] as const;
export const WEIGHTS = 'model.safetensors';
export const WEIGHTS_INDEX = 'model.safetensors.index.json';

/** Whether a model in Hugging Face's form is read from a file of this path. */
export const isModelFile = (path: string): boolean =>
  (TEXT_FILES as readonly string[]).includes(path) ||
  path === WEIGHTS_INDEX ||
  (path.endsWith('.safetensors') && !path.includes('/'));

/** The files below an address that can't be listed: by their names, and the index's for sharded weights. */
async function findFolder(
  find: (path: string) => Promise<FoundFile | null>,
  read: (path: string) => Promise<Uint8Array | null>,
): Promise<(FoundFile | null)[]> {
  const text = await Promise.all(TEXT_FILES.map(find));
  if (!text[0]) throw new DownloadError('There is no config.json at this address, and it does not end in .gguf.');
  const whole = await find(WEIGHTS);
  if (whole) return [...text, whole];
  const index = await find(WEIGHTS_INDEX);
  if (!index) throw new DownloadError(`There is neither ${WEIGHTS} nor ${WEIGHTS_INDEX} at this address.`);
  const shards = shardNames(await read(WEIGHTS_INDEX));
  const found = await Promise.all(shards.map(find));
  const missing = found.indexOf(null);
  if (missing >= 0) throw new DownloadError(`${shards[missing]}, which the index names, isn't there.`);
  return [...text, index, ...found];
}

function shardNames(index: Uint8Array | null): string[] {
  let names: unknown[] = [];
  try {
    const { weight_map: map } = JSON.parse(new TextDecoder().decode(index ?? new Uint8Array())) as Record<
      string,
      unknown
    >;
    names = [...new Set(Object.values(map as Record<string, unknown>))];
  } catch {
    // Reported below: no names.
  }
  if (names.length === 0 || !names.every((name) => typeof name === 'string' && /^[\w.-]+\.safetensors$/.test(name))) {
    throw new DownloadError(`${WEIGHTS_INDEX} doesn't name files of weights.`);
  }
  return names as string[];
}

function parseUrl(url: string): URL {
  let address: URL;
  try {
    address = new URL(url);
  } catch {
    throw new ModelAddressError(`'${url}' is not an address.`);
  }
  if (address.protocol !== 'https:' && address.protocol !== 'http:') {
    throw new ModelAddressError(`'${url}' is not an address of the web (https or http).`);
  }
  address.hash = '';
  return address;
}

/** The folder itself when its config.json was named, and with a slash at the end. */
function folderOf(address: URL): URL {
  const folder = new URL(address);
  folder.pathname = folder.pathname.replace(/\/config\.json$/, '/').replace(/([^/])$/, '$1/');
  return folder;
}
