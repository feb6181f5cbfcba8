/** @file A model on any web server: a .gguf, or a folder with config.json, which can't be listed. */
import { t } from '../../../i18n';
import { DownloadError } from '../http/errors';
import { fetchSmall, findUrlFile } from '../http/look-up';
import type { FoundFile } from '../http/look-up';
import type { HttpOptions } from '../http/options';
import { urlFile } from '../http/url-file';
import { ModelAddressError } from '../model-address';
import { TEXT_FILES, WEIGHTS, WEIGHTS_INDEX } from '../../hf/file-names';
import { modelId } from './model-source';
import type { ModelSource } from './model-source';

/** @throws ModelAddressError, DownloadError, ConnectionError */
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
  const read = (path: string) => fetchSmall(at(path), path, options, signal);
  const found = single ? [await find(name)] : await findFolder(find, read);
  const files = found.filter((file) => file !== null);
  if (files.length === 0) throw new DownloadError(t('models:http.notThere', { url, status: 404 }));
  const origin = { kind: 'url' as const, url: address.href };
  return {
    id: await modelId(name, origin),
    name,
    origin,
    licence: null,
    files: files.map(({ file }) => file),
    choices: [],
    notices: files.every(({ ranges }) => ranges) ? [] : [t('models:source.noRanges', { host: base.host })],
    open: (file) => urlFile(at(file.path), file, options),
  };
}

/** The files of a folder, found by their usual names, or by the index when the weights are sharded. */
async function findFolder(
  find: (path: string) => Promise<FoundFile | null>,
  read: (path: string) => Promise<Uint8Array | null>,
): Promise<(FoundFile | null)[]> {
  // By itself first: without a config there is no need to ask for anything else.
  const config = await find(TEXT_FILES[0]);
  if (!config) throw new DownloadError(t('models:source.noConfig'));
  const text = await Promise.all(TEXT_FILES.slice(1).map(find));
  const whole = await find(WEIGHTS);
  if (whole) return [config, ...text, whole];
  const index = await find(WEIGHTS_INDEX);
  if (!index) throw new DownloadError(t('models:source.noWeights', { weights: WEIGHTS, index: WEIGHTS_INDEX }));
  const shards = shardNames(await read(WEIGHTS_INDEX));
  const found = await Promise.all(shards.map(find));
  const missing = found.indexOf(null);
  if (missing >= 0) throw new DownloadError(t('models:source.missingShard', { shard: shards[missing]! }));
  return [config, ...text, index, ...found];
}

function shardNames(index: Uint8Array | null): string[] {
  let names: unknown[] = [];
  try {
    const json = JSON.parse(new TextDecoder().decode(index ?? new Uint8Array())) as Record<string, unknown>;
    names = [...new Set(Object.values(json.weight_map as Record<string, unknown>))];
  } catch {
    // Reported below, since there are no names.
  }
  if (names.length === 0 || !names.every((name) => typeof name === 'string' && /^[\w.-]+\.safetensors$/.test(name))) {
    throw new DownloadError(t('models:source.badIndex', { index: WEIGHTS_INDEX }));
  }
  return names as string[];
}

function parseUrl(url: string): URL {
  if (!URL.canParse(url)) throw new ModelAddressError(t('models:address.notAUrl', { text: url }));
  const address = new URL(url);
  if (address.protocol !== 'https:' && address.protocol !== 'http:') {
    throw new ModelAddressError(t('models:address.notTheWeb', { text: url }));
  }
  address.hash = '';
  return address;
}

/** The address of the folder, with a slash at the end, also when that of its config.json was given. */
function folderOf(address: URL): URL {
  const folder = new URL(address);
  folder.pathname = folder.pathname.replace(/\/config\.json$/, '/').replace(/([^/])$/, '$1/');
  return folder;
}
