/**
 * @file Models kept on disk. A model is a folder: `manifest.json` says which files belong to it, file n of the manifest is
 * in `n.bin`, and `n.done` with its hash appears once it is complete. So a crash at any point leaves either a model whose
 * download can be resumed, or a folder with a torn manifest and nothing else, which
 * `sweep` removes.
 */
import { formatBytes } from '../../../base/bytes';
import { t } from '../../../i18n';
import type { ModelFiles } from '../../files/model-files';
import type { ModelSource } from '../source/model-source';
import type { DownloadProgress, ModelFacts, StoredModel } from '../stored-model';
import { copyFile, dataFile, hashFile } from './copy-file';
import { ModelBusyError, NoRoomError } from './errors';
import { localLock } from './lock';
import type { ExclusiveRun } from './lock';
import { manifestTrouble, readManifest, writeManifest } from './manifest';
import type { Manifest } from './manifest';
import { ProgressMeter } from './progress-meter';
import { StoreFullError } from './store-directory';
import type { StoreDirectory } from './store-directory';

export interface WeightStoreOptions {
  /** Bytes in use and allowed, where that is known. */
  estimate?: () => Promise<{ usage?: number; quota?: number }>;
  exclusive?: ExclusiveRun;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface DownloadOptions {
  onProgress?: (progress: DownloadProgress) => void;
  signal?: AbortSignal;
}

type ComputedFacts = Pick<ModelFacts, 'architecture' | 'parameters' | 'quantisation'>;

/** Bytes for the manifest, and for what the file system adds to large files. */
const SLACK = 8 << 20;

export class WeightStore {
  readonly #directory: StoreDirectory;
  readonly #estimate: NonNullable<WeightStoreOptions['estimate']>;
  readonly #exclusive: ExclusiveRun;
  readonly #now: () => number;

  constructor(directory: StoreDirectory, options: WeightStoreOptions = {}) {
    this.#directory = directory;
    this.#estimate = options.estimate ?? (() => Promise.resolve({}));
    this.#exclusive = options.exclusive ?? localLock();
    this.#now = options.now ?? Date.now;
  }

  /** All models, the newest first, including incomplete ones. */
  async list(): Promise<StoredModel[]> {
    const found = await Promise.all((await this.#directory.folders()).map((id) => this.get(id)));
    return found.filter((model) => model !== null).sort((a, b) => b.added - a.added);
  }

  async get(id: string): Promise<StoredModel | null> {
    const manifest = await this.manifest(id);
    if (!manifest) return null;
    const sizes = await this.#directory.files(id);
    const { files, name, origin, licence, architecture, parameters, quantisation, added } = manifest;
    const stored = files.map(({ bytes }, n) => Math.min(bytes, sizes.get(dataFile(n)) ?? 0));
    return {
      ...{ id, name, origin, licence, architecture, parameters, quantisation, added },
      bytes: totalBytes(files),
      storedBytes: stored.reduce((a, b) => a + b, 0),
      complete: files.every(({ bytes }, n) => sizes.has(hashFile(n)) && sizes.get(dataFile(n)) === bytes),
    };
  }

  /** The manifest of a stored model, or null when there is none. */
  manifest(id: string): Promise<Manifest | null> {
    return readManifest(this.#directory, id);
  }

  /** The files of a complete model. @throws Error with a message for the user */
  async files(id: string): Promise<ModelFiles> {
    const [manifest, model] = [await this.manifest(id), await this.get(id)];
    if (!manifest || !model) throw new Error(t('models:store.notStored'));
    if (!model.complete) throw new Error(t('models:store.incomplete', { model: model.name }));
    const { files } = manifest;
    return {
      name: model.name,
      list: () => Promise.resolve(files.map(({ path }) => path)),
      open: async (path) => {
        const n = files.findIndex((file) => file.path === path);
        const file = n < 0 ? null : await this.#directory.open(id, dataFile(n));
        return file && { ...file, name: path };
      },
    };
  }

  /**
   * Copies a model here, resuming an earlier attempt, and verifies every file.
   * @throws NoRoomError and IntegrityError, after deleting the bytes; ModelBusyError; whatever the source throws; and
   * DOMException AbortError, after which the next attempt resumes
   */
  async download(
    source: ModelSource,
    facts: ComputedFacts,
    { onProgress = () => {}, signal }: DownloadOptions = {},
  ): Promise<StoredModel> {
    await this.#alone(source, async () => {
      const manifest = await this.#begin(source, facts);
      const { id, files } = manifest;
      const meter = new ProgressMeter(manifest, onProgress, this.#now);
      try {
        for (const [n, file] of files.entries()) {
          await copyFile({ source, directory: this.#directory, id, file, n, meter, signal });
        }
      } catch (error) {
        throw await this.#afterFailure(manifest, error);
      } finally {
        meter.end();
      }
    });
    return (await this.get(source.id))!;
  }

  /** Deletes a model with all its bytes. @throws ModelBusyError */
  async remove(id: string): Promise<void> {
    const name = (await this.manifest(id))?.name ?? id;
    await this.#alone({ id, name }, () => this.#directory.remove(id));
  }

  /**
   * Removes what crashes left while a manifest was written: folders without a readable one that have no weights either, and
   * that nobody is working on.
   */
  async sweep(): Promise<void> {
    for (const id of await this.#directory.folders()) {
      if (!(await this.#isRest(id))) continue;
      await this.#exclusive(lockName(id), async () => {
        if (await this.#isRest(id)) await this.#directory.remove(id);
      });
    }
  }

  /** Models that have weights but no readable manifest: it is damaged, or of a later version. Why is a sentence. */
  async unreadable(): Promise<{ id: string; reason: string }[]> {
    const found: { id: string; reason: string }[] = [];
    for (const id of await this.#directory.folders()) {
      if ((await this.manifest(id)) || !(await this.#hasWeights(id))) continue;
      found.push({ id, reason: await manifestTrouble(this.#directory, id) });
    }
    return found;
  }

  async #isRest(id: string): Promise<boolean> {
    return !(await this.manifest(id)) && !(await this.#hasWeights(id));
  }

  async #hasWeights(id: string): Promise<boolean> {
    return [...(await this.#directory.files(id))].some(([name, bytes]) => /^\d+\.bin$/.test(name) && bytes > 0);
  }

  /** The manifest of an earlier attempt, or a new one if there is enough space for the model. */
  async #begin(source: ModelSource, facts: ComputedFacts): Promise<Manifest> {
    const { id, name, origin, licence, files } = source;
    const old = await this.manifest(id);
    const same = old !== null && JSON.stringify(old.files) === JSON.stringify(files);
    // Another version of the files, or what a crash left while the manifest was written, is of no use.
    if (!same) await this.#directory.remove(id);
    await this.#checkSpace(name, totalBytes(files) - (same ? (await this.get(id))!.storedBytes : 0));
    if (same) return old;
    const { architecture, parameters, quantisation } = facts;
    const manifest: Manifest = {
      format: 1,
      ...{ id, name, origin, licence, architecture, parameters, quantisation, files },
      added: this.#now(),
    };
    try {
      await writeManifest(this.#directory, manifest);
    } catch (error) {
      throw await this.#afterFailure(manifest, error);
    }
    return manifest;
  }

  async #checkSpace(model: string, needed: number): Promise<void> {
    const { usage, quota } = await this.#estimate();
    if (usage === undefined || quota === undefined) return;
    const free = Math.max(0, quota - usage);
    if (needed === 0 || needed + SLACK <= free) return;
    throw new NoRoomError(t('models:store.noSpace', { model, needed: formatBytes(needed), free: formatBytes(free) }));
  }

  /** Leaves a model whose download can be resumed, or nothing. Resolves to the error to throw. */
  async #afterFailure({ id, name, files }: Manifest, error: unknown): Promise<unknown> {
    if (error instanceof StoreFullError) {
      const stored = (await this.get(id))?.storedBytes ?? 0;
      await this.#directory.remove(id);
      const total = totalBytes(files);
      const sizes = { stored: formatBytes(stored), total: formatBytes(total), missing: formatBytes(total - stored) };
      return new NoRoomError(t('models:store.diskFull', { model: name, ...sizes }), { cause: error });
    }
    const sizes = await this.#directory.files(id);
    // Small files are quick to fetch again: by themselves they are not worth an entry in the list.
    const largest = Math.max(...files.map(({ bytes }) => bytes));
    const resumable = files.some(
      ({ bytes }, n) => (bytes === largest || bytes > SLACK) && (sizes.get(dataFile(n)) ?? 0) > 0,
    );
    if (!resumable) await this.#directory.remove(id);
    return error;
  }

  async #alone({ id, name }: { id: string; name: string }, work: () => Promise<void>): Promise<void> {
    if (await this.#exclusive(lockName(id), work)) return;
    throw new ModelBusyError(t('models:store.busy', { model: name }));
  }
}

const lockName = (id: string) => `tinythink model ${id}`;
const totalBytes = (files: readonly { bytes: number }[]) => files.reduce((sum, { bytes }) => sum + bytes, 0);
