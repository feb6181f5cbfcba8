/**
 * @file Models on the Hugging Face Hub, or on a server with the same API (https://huggingface.co/docs/hub/api). The
 * listing of a revision pins the commit and gives each file's size and hash: sha256 for large files, git's id for small
 * ones.
 */
import { t } from '../../../i18n';
import { DownloadError } from '../http/errors';
import { fetchSmall } from '../http/look-up';
import type { HttpOptions } from '../http/options';
import { urlFile } from '../http/url-file';
import { DEFAULT_REVISION, HUB_ENDPOINT, ModelAddressError } from '../model-address';
import type { ModelAddress } from '../model-address';
import type { ContentHash } from '../store/content-hash';
import { chooseFiles } from './choose-files';
import { modelId } from './model-source';
import type { ModelSource, PinnedFile } from './model-source';

export type HubAddress = Extract<ModelAddress, { kind: 'hub' }>;

type Json = Record<string, unknown>;

/** The Hub's rule: up to 96 letters, digits, `-`, `_` and `.`, with no `-` or `.` at an end or twice in a row. */
const NAME = /^(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?$/;

/** @throws ModelAddressError */
export function checkRepo(repo: string): void {
  const parts = repo.split('/');
  if (parts.length === 2 && parts.every((part) => NAME.test(part))) return;
  throw new ModelAddressError(t('models:address.notARepo', { repo }));
}

/**
 * Finds a model and chooses its files: the safetensors with config and tokenizer, or one .gguf.
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
    // The Hub answers the same for a private model and for one that doesn't exist, so as not to reveal private ones.
    if (status === 401 || status === 403) throw new DownloadError(notFound(repo, revision, endpoint));
  });
  if (!answer) throw new DownloadError(notFound(repo, revision, endpoint));
  const info = parseInfo(answer, repo);
  const sha = info.sha;
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) {
    throw new DownloadError(t('models:source.noCommit', { endpoint, repo }));
  }
  if (info.gated === 'auto' || info.gated === 'manual') {
    throw new DownloadError(t('models:source.gated', { repo, url: `${endpoint}/${repo}` }));
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
    notices: files.every(({ hash }) => hash) ? [] : [t('models:source.noHashes', { endpoint })],
    open: (pinned) => urlFile(`${endpoint}/${repo}/resolve/${sha}/${escapePath(pinned.path)}`, pinned, options),
  };
}

/** One entry of the listing as a list of one; empty when it isn't a file or has no size. */
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

/** The licence of the model card, or of the tag that the Hub derives from it. */
function licenceOf({ cardData, tags }: Json): string | null {
  const card = isObject(cardData) ? cardData : {};
  // A custom licence has its name in another field.
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
  throw new DownloadError(t('models:source.badListing', { repo }));
}

function endpointOf({ endpoint = HUB_ENDPOINT }: HubAddress): string {
  if (!/^https?:\/\/[^\s?#]+$/.test(endpoint)) {
    throw new ModelAddressError(t('models:address.notAServer', { text: endpoint }));
  }
  return endpoint.replace(/\/+$/, '');
}

const notFound = (repo: string, revision: string, endpoint: string): string =>
  revision === DEFAULT_REVISION
    ? t('models:source.notFound', { repo, endpoint })
    : t('models:source.revisionNotFound', { repo, revision, endpoint });

const escapePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');
const isPath = (path: string) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
