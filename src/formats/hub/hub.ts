/**
 * @file Models on the Hugging Face Hub, or on a server that speaks its protocol (https://huggingface.co/docs/hub/api):
 * the listing of a revision pins the commit and gives each file's size and hash, sha256 for large files and git's id
 * for small ones.
 */
import type { ContentHash } from './content-hash';
import { DEFAULT_REVISION, HUB_ENDPOINT, ModelAddressError } from './model-address';
import type { ModelAddress } from './model-address';
import { isModelFile, modelId, TEXT_FILES, WEIGHTS, WEIGHTS_INDEX } from './model-source';
import type { ModelSource, PinnedFile } from './model-source';
import { DownloadError, fetchSmall, urlFile } from './ranged-url';
import type { HttpOptions } from './ranged-url';

export type HubAddress = Extract<ModelAddress, { kind: 'hub' }>;

type Json = Record<string, unknown>;

/** As the Hub has it: up to 96 letters, digits, `-`, `_` and `.`, none of the last two at an end or twice in a row. */
const NAME = /^(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/;

/** @throws ModelAddressError */
export function checkRepo(repo: string): void {
  const parts = repo.split('/');
  if (parts.length === 2 && parts.every((part) => NAME.test(part))) return;
  throw new ModelAddressError(
    `'${repo}' is not the name of a model on the Hub; one looks like Qwen/Qwen2.5-0.5B-Instruct.`,
  );
}

/**
 * Finds a model and chooses its files: the safetensors with what belongs to them, or one .gguf.
 * @throws ModelAddressError, DownloadError, ConnectionError
 */
export async function openHubModel(
  address: HubAddress,
  options: HttpOptions = {},
  signal?: AbortSignal,
): Promise<ModelSource> {
  const { repo, revision = DEFAULT_REVISION } = address;
  checkRepo(repo);
  const endpoint = endpointOf(address);
  const url = `${endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await fetchSmall(url, repo, options, signal, ({ status }) => {
    // The Hub answers so for a model that isn't there too, lest one learn of private ones.
    if (status === 401 || status === 403) throw new DownloadError(notFound(repo, revision, endpoint));
  });
  if (!answer) throw new DownloadError(notFound(repo, revision, endpoint));
  const info = parseInfo(answer, repo);
  const sha = info.sha;
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) {
    throw new DownloadError(`${endpoint} doesn't say which commit ${repo} is at.`);
  }
  if (info.gated === 'auto' || info.gated === 'manual') {
    throw new DownloadError(
      `${repo} asks for its terms to be accepted: log in at ${endpoint}/${repo}, accept them, download its files (config.json, tokenizer.json, tokenizer_config.json, *.safetensors) into a folder and drop that here.`,
    );
  }
  const all = Array.isArray(info.siblings) ? info.siblings.flatMap(readSibling) : [];
  const { files, choices, file } = chooseFiles(all, repo, address.file);
  const origin = { kind: 'hub' as const, endpoint, repo, revision: sha, ...(file !== undefined && { file }) };
  const name = file === undefined ? repo : `${repo}/${file}`;
  return {
    id: await modelId(name, origin),
    name,
    origin,
    licence: licenceOf(info),
    files,
    choices,
    notices: files.every(({ hash }) => hash)
      ? []
      : [`${endpoint} gives no hashes of some files, so that they can't be verified.`],
    open: (pinned) => urlFile(`${endpoint}/${repo}/resolve/${sha}/${escapePath(pinned.path)}`, pinned, options),
  };
}

/** The quantisations that people mostly want, the first one here being proposed. */
const PREFERRED = ['Q4_K_M', 'Q4_0', 'Q4_K_S', 'Q5_K_M', 'Q8_0', 'Q6_K', 'Q5_0', 'F16', 'BF16', 'F32'];

/** @throws DownloadError when there is nothing to choose */
export function chooseFiles(
  all: readonly PinnedFile[],
  repo: string,
  wanted?: string,
): { files: PinnedFile[]; choices: { file: string; bytes: number }[]; file?: string } {
  // Other parts of a vision model, and pieces of a split file, are no models by themselves.
  const isWhole = ({ path }: PinnedFile) => /\.gguf$/i.test(path) && !/mmproj|-\d{5}-of-\d{5}\./i.test(path);
  const ggufs = all.filter(isWhole);
  const choices = ggufs.map(({ path, bytes }) => ({ file: path, bytes }));
  if (wanted !== undefined) {
    const file = all.find(({ path }) => path === wanted);
    if (!file) {
      const known = choices.map((choice) => choice.file).join(', ');
      throw new DownloadError(`${repo} has no file ${wanted}${known ? `; it has ${known}` : ''}.`);
    }
    if (!isWhole(file)) throw new DownloadError(`${wanted} is not a .gguf file that is whole by itself.`);
    return { files: [file], choices: choices.filter((choice) => choice.file !== wanted), file: wanted };
  }
  const at = (path: string) => all.find((file) => file.path === path);
  const shards = all.filter(({ path }) => /^model-\d+-of-\d+\.safetensors$/.test(path));
  const weights = at(WEIGHTS) ? [at(WEIGHTS)!] : at(WEIGHTS_INDEX) ? [at(WEIGHTS_INDEX)!, ...shards] : [];
  if (at('config.json') && weights.length > 0) {
    const text = TEXT_FILES.flatMap((path) => at(path) ?? []);
    return { files: [...text, ...weights].filter(({ path }) => isModelFile(path)), choices };
  }
  const rank = ({ path }: PinnedFile) => {
    const found = PREFERRED.findIndex((type) => path.toUpperCase().includes(type));
    return found < 0 ? PREFERRED.length : found;
  };
  const [best] = [...ggufs].sort((a, b) => rank(a) - rank(b));
  if (best) {
    return { files: [best], choices: choices.filter(({ file }) => file !== best.path), file: best.path };
  }
  const bins = all.some(({ path }) => /^pytorch_model.*\.bin$/.test(path));
  throw new DownloadError(
    bins
      ? `${repo} has its weights only as pytorch_model.bin, which runs code when it is read. Look for a copy with .safetensors or .gguf.`
      : `${repo} has neither config.json with .safetensors nor a .gguf. Is it a model?`,
  );
}

/** One entry of the listing; none for what isn't one, or lacks a size. */
function readSibling(value: unknown): PinnedFile[] {
  if (!isObject(value)) return [];
  const { rfilename: path, blobId, lfs } = value;
  const bytes = isObject(lfs) ? (lfs.size ?? value.size) : value.size;
  if (typeof path !== 'string' || !isPath(path) || !Number.isSafeInteger(bytes)) return [];
  const hash = isObject(lfs) ? hashOf('sha256', lfs.sha256, 64) : hashOf('git-blob', blobId, 40);
  return [{ path, bytes: bytes as number, ...(hash && { hash }) }];
}

function hashOf(kind: ContentHash['kind'], hex: unknown, length: number): ContentHash | undefined {
  const valid = typeof hex === 'string' && hex.length === length && /^[0-9a-f]+$/i.test(hex);
  return valid ? { kind, hex: hex.toLowerCase() } : undefined;
}

/** The model card's, or the tag that the Hub makes of it. */
function licenceOf({ cardData, tags }: Json): string | null {
  const card = isObject(cardData) ? cardData : {};
  // A licence of its own has its name in another field.
  const named = card.license === 'other' ? (card.license_name ?? card.license) : card.license;
  if (typeof named === 'string' && named) return named;
  const tag = Array.isArray(tags) ? tags.find((each) => typeof each === 'string' && each.startsWith('license:')) : null;
  return typeof tag === 'string' ? tag.slice('license:'.length) : null;
}

function parseInfo(bytes: Uint8Array, repo: string): Json {
  try {
    const info: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isObject(info)) return info;
  } catch {
    // Reported below.
  }
  throw new DownloadError(`The listing of ${repo} can't be read; is this a server that speaks the Hub's protocol?`);
}

function endpointOf({ endpoint = HUB_ENDPOINT }: HubAddress): string {
  if (!/^https?:\/\/[^\s?#]+$/.test(endpoint)) {
    throw new ModelAddressError(`'${endpoint}' is not the address of a server.`);
  }
  return endpoint.replace(/\/+$/, '');
}

const notFound = (repo: string, revision: string, endpoint: string) =>
  `There is no public model ${repo}${revision === DEFAULT_REVISION ? '' : ` with a revision ${revision}`} at ${endpoint}. Check the spelling; of a private model, download the files and drop their folder here.`;

const escapePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');
const isPath = (path: string) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
