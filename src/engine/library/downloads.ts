/**
 * @file Models that are downloaded and stored: finds them at their addresses, checks that they can be computed before
 * their weights come, and keeps them in the store.
 */
import { parameterCount } from '../../formats/hf/architecture';
import { openHubModel } from '../../formats/hub/source/hub';
import type { ModelAddress } from '../../formats/hub/model-address';
import type { ModelFiles } from '../../formats/files/model-files';
import { tokenizerOf, type Model } from '../../formats/model';
import { openModel } from '../../formats/open-model';
import { openChosenFiles } from '../../formats/hub/source/chosen-files';
import { sourceFiles } from '../../formats/hub/source/model-source';
import type { ModelSource } from '../../formats/hub/source/model-source';
import { openUrlModel } from '../../formats/hub/source/web-server';
import { openOpfs } from '../../formats/hub/store/opfs';
import type { HttpOptions } from '../../formats/hub/http/options';
import type { StoreDirectory } from '../../formats/hub/store/store-directory';
import type {
  DownloadProgress,
  ModelFacts,
  ModelSummary,
  StorageUse,
  StoredModel,
} from '../../formats/hub/stored-model';
import { lockAcrossTabs } from '../../formats/hub/store/lock';
import type { Manifest } from '../../formats/hub/store/manifest';
import { WeightStore } from '../../formats/hub/store/weight-store';
import { t } from '../../i18n';

type Computed = Pick<ModelFacts, 'architecture' | 'parameters' | 'quantisation'>;
/** What was found when a model was looked at, with its id. */
export type LookedAt = Pick<ModelSummary, 'id' | 'architecture' | 'parameters' | 'quantisation'>;

export class ModelDownloads {
  readonly #openDirectory: () => Promise<StoreDirectory>;
  readonly #http: HttpOptions;
  #store: Promise<WeightStore> | null = null;
  /** Of models that were looked at: what a download of them need not look at again. */
  readonly #looked = new Map<string, Computed>();
  readonly #downloads = new Map<string, AbortController>();

  constructor(openDirectory: () => Promise<StoreDirectory> = openOpfs, http: HttpOptions = {}) {
    this.#openDirectory = openDirectory;
    this.#http = http;
  }

  async inspect(address: ModelAddress, signal?: AbortSignal): Promise<ModelSummary> {
    const source = await this.#find(address, this.#http, signal);
    const opened = await openModel(sourceFiles(source), signal);
    const computed = describe(opened);
    this.#looked.set(source.id, computed);
    const stored = await this.#storedOrNothing(source.id);
    const { id, name, origin, licence, choices } = source;
    return {
      ...{ id, name, origin, licence, choices },
      notices: [...source.notices, ...opened.notices],
      ...computed,
      config: opened.config,
      files: source.files.map(({ path, bytes }) => ({ path, bytes })),
      bytes: source.files.reduce((sum, { bytes }) => sum + bytes, 0),
      storedBytes: stored?.storedBytes ?? 0,
      complete: stored?.complete ?? false,
    };
  }

  /** Takes over what another worker found when it looked at a model. */
  remember({ id, architecture, parameters, quantisation }: LookedAt): void {
    this.#looked.set(id, { architecture, parameters, quantisation });
  }

  async list(): Promise<StoredModel[]> {
    return (await this.#opened()).list();
  }

  async download(
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void,
    signal: AbortSignal,
  ): Promise<StoredModel> {
    let last: DownloadProgress | null = null;
    const onNotice = (notice: string) => last && onProgress({ ...last, notice });
    const store = await this.#opened();
    const source = await this.#find(address, { ...this.#http, onNotice }, signal);
    const computed =
      this.#looked.get(source.id) ??
      (await store.manifest(source.id)) ??
      describe(await openModel(sourceFiles(source), signal));
    const abort = new AbortController();
    const stop = () => abort.abort(signal.reason);
    signal.throwIfAborted();
    signal.addEventListener('abort', stop);
    // When it is being downloaded already, the store says so, and that download can still be cancelled.
    const own = !this.#downloads.has(source.id);
    if (own) this.#downloads.set(source.id, abort);
    try {
      return await store.download(source, computed, {
        onProgress: (progress) => onProgress((last = progress)),
        signal: abort.signal,
      });
    } finally {
      signal.removeEventListener('abort', stop);
      if (own) this.#downloads.delete(source.id);
    }
  }

  cancel(id: string): void {
    this.#downloads.get(id)?.abort();
  }

  async remove(id: string): Promise<void> {
    await (await this.#opened()).remove(id);
  }

  /** Of the whole site: runs and conversations too. */
  async use(): Promise<StorageUse> {
    const { usage = null, quota = null } = await estimate();
    const persisted = await globalThis.navigator?.storage?.persisted?.().catch(() => false);
    return { usage, quota, persisted: persisted ?? null };
  }

  /** The files of a stored model. @throws Error with a message for the user */
  async files(id: string): Promise<ModelFiles> {
    return (await this.#opened()).files(id);
  }

  async #find(address: ModelAddress, http: HttpOptions, signal?: AbortSignal): Promise<ModelSource> {
    switch (address.kind) {
      case 'hub':
        return openHubModel(address, http, signal);
      case 'url':
        return openUrlModel(address.url, http, signal);
      case 'files':
        return openChosenFiles(address);
      case 'stored':
        return this.#again(await this.#manifest(address.id), http, signal);
    }
  }

  /** Where a stored model came from: the same files, if they are still there. */
  async #again({ id, name, origin }: Manifest, http: HttpOptions, signal?: AbortSignal): Promise<ModelSource> {
    if (origin.kind === 'hub') return openHubModel(origin, http, signal);
    if (origin.kind === 'url') return openUrlModel(origin.url, http, signal);
    const stored = await this.#storedOrNothing(id);
    if (!stored?.complete) {
      throw new Error(t('models:store.sourceIncomplete', { model: name }));
    }
    const store = await this.#opened();
    const { files } = (await store.manifest(id))!;
    const read = await store.files(id);
    const readers = new Map(
      await Promise.all(files.map(async ({ path }) => [path, (await read.open(path))!] as const)),
    );
    const open: ModelSource['open'] = ({ path }) => readers.get(path)!;
    return { id, name, origin, licence: stored.licence, files, choices: [], notices: [], open };
  }

  async #manifest(id: string): Promise<Manifest> {
    const manifest = await (await this.#opened()).manifest(id);
    if (!manifest) throw new Error(t('models:store.notStored'));
    return manifest;
  }

  /** A browser that stores nothing can still look at models. */
  async #storedOrNothing(id: string): Promise<StoredModel | null> {
    try {
      return await (await this.#opened()).get(id);
    } catch {
      return null;
    }
  }

  async #opened(): Promise<WeightStore> {
    this.#store ??= this.#openDirectory().then(async (directory) => {
      const store = new WeightStore(directory, { estimate, ...(lockAcrossTabs && { exclusive: lockAcrossTabs }) });
      await store.sweep();
      return store;
    });
    // What failed once, as in a private window, may work when asked again.
    this.#store.catch(() => (this.#store = null));
    return this.#store;
  }
}

/** @throws ModelFolderError for a model that can't be talked to because it has no tokenizer */
function describe(model: Model): Computed {
  tokenizerOf(model);
  const { config, tensors } = model;
  const byType = new Map<string, number>();
  for (const { type, bytes } of tensors.values()) byType.set(type, (byType.get(type) ?? 0) + bytes);
  const [most] = [...byType].sort(([, a], [, b]) => b - a);
  return {
    architecture: config.architecture,
    parameters: parameterCount(config),
    quantisation: most?.[0] ?? 'none',
  };
}

/** Nothing is known where there is no storage manager, as on pages without https. */
async function estimate(): Promise<{ usage?: number; quota?: number }> {
  return (await globalThis.navigator?.storage?.estimate?.().catch(() => ({}))) ?? {};
}
