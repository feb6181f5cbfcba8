/**
 * @file Models kept on disk. A model is a folder: `manifest.json`, written once and before anything else, says what
 * belongs to it; file n of the manifest lies in `n.bin`, and `n.done` with its hash is written once it is whole,
 * verified and on disk. So a crash at any point leaves a model that can be gone on with, or a folder without a readable
 * manifest, which `sweep` removes.
 *
 * Bytes are hashed on their way to the disk. What an earlier attempt left is read and hashed again: that verifies what
 * is on the disk, and needs no state that a crash could tear.
 */
import { contentHasher } from './content-hash';
import type { ContentHasher } from './content-hash';
import type { ModelFiles } from '../files/model-files';
import type { ModelSource, PinnedFile } from './model-source';
import { ProgressMeter } from './progress-meter';
import { WrongFileError } from './ranged-url';
import { readSmall, StoreFullError, writeSmall } from './store-directory';
import type { StoreDirectory } from './store-directory';
import type { DownloadProgress, ModelFacts, StoredModel } from './stored-model';

/** What came is not what was announced; it has been deleted. */
export class IntegrityError extends Error {
  override name = 'IntegrityError';
}

/** There is no room for the model; the message has the numbers. */
export class NoRoomError extends Error {
  override name = 'NoRoomError';
}

/** Another tab, or this one, is at work on the model. */
export class ModelBusyError extends Error {
  override name = 'ModelBusyError';
}

/** What a manifest holds. */
export interface StoredRecord extends ModelFacts {
  format: 1;
  id: string;
  added: number;
  files: PinnedFile[];
}

export interface WeightStoreOptions {
  /** Bytes in use and allowed, where that is known. */
  estimate?: () => Promise<{ usage?: number; quota?: number }>;
  /** Runs `work` unless somebody else holds this name; resolves to false then. */
  exclusive?: (name: string, work: () => Promise<void>) => Promise<boolean>;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface DownloadOptions {
  onProgress?: (progress: DownloadProgress) => void;
  signal?: AbortSignal;
}

const MANIFEST = 'manifest.json';
/** For the manifest, and for what the file system adds to large files. */
const SLACK = 8 << 20;

export class WeightStore {
  readonly #directory: StoreDirectory;
  readonly #estimate: NonNullable<WeightStoreOptions['estimate']>;
  readonly #exclusive: NonNullable<WeightStoreOptions['exclusive']>;
  readonly #now: () => number;

  constructor(directory: StoreDirectory, options: WeightStoreOptions = {}) {
    this.#directory = directory;
    this.#estimate = options.estimate ?? (() => Promise.resolve({}));
    this.#exclusive = options.exclusive ?? lockHere();
    this.#now = options.now ?? Date.now;
  }

  /** Newest first; incomplete ones too. */
  async list(): Promise<StoredModel[]> {
    const found = await Promise.all((await this.#directory.folders()).map((id) => this.get(id)));
    return found.filter((model) => model !== null).sort((a, b) => b.added - a.added);
  }

  async get(id: string): Promise<StoredModel | null> {
    const record = await this.record(id);
    if (!record) return null;
    const sizes = await this.#directory.files(id);
    const { files, name, origin, licence, architecture, parameters, quantisation, added } = record;
    const stored = files.map(({ bytes }, n) => Math.min(bytes, sizes.get(`${n}.bin`) ?? 0));
    return {
      ...{ id, name, origin, licence, architecture, parameters, quantisation, added },
      bytes: sum(files.map(({ bytes }) => bytes)),
      storedBytes: sum(stored),
      complete: files.every(({ bytes }, n) => sizes.has(`${n}.done`) && sizes.get(`${n}.bin`) === bytes),
    };
  }

  /** What is known of a stored model, or null when there is none. */
  async record(id: string): Promise<StoredRecord | null> {
    const text = await readSmall(this.#directory, id, MANIFEST);
    if (text === null) return null;
    try {
      const record = JSON.parse(text) as StoredRecord;
      return record.format === 1 && record.id === id ? record : null;
    } catch {
      return null;
    }
  }

  /** The files of a model that is stored whole. @throws Error with a message for the user */
  async files(id: string): Promise<ModelFiles> {
    const [record, model] = [await this.record(id), await this.get(id)];
    if (!record || !model) throw new Error('This model is no longer stored. Download it again on the Models page.');
    if (!model.complete) {
      throw new Error(`The download of ${model.name} isn't complete. Go on with it on the Models page.`);
    }
    const { files } = record;
    return {
      name: model.name,
      list: () => Promise.resolve(files.map(({ path }) => path)),
      open: async (path) => {
        const n = files.findIndex((file) => file.path === path);
        const file = n < 0 ? null : await this.#directory.open(id, `${n}.bin`);
        return file && { ...file, name: path };
      },
    };
  }

  /**
   * Copies a model here, going on where an earlier attempt broke off, and verifies every file.
   * @throws NoRoomError and IntegrityError, whose bytes are gone then; ModelBusyError; what the source throws; and
   * DOMException AbortError, after which the next attempt goes on
   */
  async download(
    source: ModelSource,
    facts: Pick<ModelFacts, 'architecture' | 'parameters' | 'quantisation'>,
    { onProgress = () => {}, signal }: DownloadOptions = {},
  ): Promise<StoredModel> {
    await this.#alone(source.id, source.name, async () => {
      const record = await this.#begin(source, facts);
      const meter = new ProgressMeter(record, onProgress, this.#now);
      try {
        for (const [n, file] of record.files.entries()) await this.#store(source, record, n, file, meter, signal);
      } catch (error) {
        throw await this.#afterFailure(record, error);
      }
    });
    return (await this.get(source.id))!;
  }

  /** Removes a model with all its bytes. @throws ModelBusyError */
  async remove(id: string): Promise<void> {
    await this.#alone(id, 'This model', () => this.#directory.remove(id));
  }

  /** Removes what crashes left: folders without a readable manifest that nobody is at work on. */
  async sweep(): Promise<void> {
    for (const id of await this.#directory.folders()) {
      if (await this.record(id)) continue;
      await this.#exclusive(lockName(id), async () => {
        if (!(await this.record(id))) await this.#directory.remove(id);
      });
    }
  }

  /** The manifest to go on with, or a new one when there is room for the model. */
  async #begin(
    source: ModelSource,
    facts: Pick<ModelFacts, 'architecture' | 'parameters' | 'quantisation'>,
  ): Promise<StoredRecord> {
    const { id, name, origin, licence, files } = source;
    const old = await this.record(id);
    const same = old !== null && JSON.stringify(old.files) === JSON.stringify(files);
    // Of another version of the files, or of a crash while the manifest was written, nothing can be used.
    if (!same) await this.#directory.remove(id);
    await this.#checkRoom(name, sum(files.map(({ bytes }) => bytes)) - (same ? (await this.get(id))!.storedBytes : 0));
    if (same) return old;
    const { architecture, parameters, quantisation } = facts;
    const record: StoredRecord = {
      format: 1,
      ...{ id, name, origin, licence, architecture, parameters, quantisation, files },
      added: this.#now(),
    };
    try {
      await writeSmall(this.#directory, id, MANIFEST, JSON.stringify(record));
    } catch (error) {
      throw await this.#afterFailure(record, error);
    }
    return record;
  }

  async #checkRoom(name: string, needed: number): Promise<void> {
    const { usage, quota } = await this.#estimate();
    if (usage === undefined || quota === undefined) return;
    const free = Math.max(0, quota - usage);
    if (needed === 0 || needed + SLACK <= free) return;
    throw new NoRoomError(
      `${name} needs ${inBytes(needed)} more, and the browser gives this site ${inBytes(free)}. Delete stored models, or free space on the disk.`,
    );
  }

  async #store(
    source: ModelSource,
    record: StoredRecord,
    n: number,
    file: PinnedFile,
    meter: ProgressMeter,
    signal?: AbortSignal,
  ): Promise<void> {
    const sizes = await this.#directory.files(record.id);
    const there = sizes.get(`${n}.bin`) ?? 0;
    if (sizes.has(`${n}.done`) && there === file.bytes) return meter.skip(file);
    await this.#directory.remove(record.id, `${n}.done`);
    const resumed = there > 0 && there <= file.bytes;
    let hex = await this.#copy(source, record, n, file, resumed ? there : 0, meter, signal);
    // After a power cut a file may have its length and not its bytes: what was resumed gets a second chance.
    if (hex === null && resumed) hex = await this.#copy(source, record, n, file, 0, meter, signal);
    if (hex === null) {
      throw new IntegrityError(
        `${file.path} of ${record.name} is not what its source says it should be: ${file.hash!.kind} differs from ${file.hash!.hex}. It was deleted; download it again, and if that fails too, don't trust the source.`,
      );
    }
    await writeSmall(this.#directory, record.id, `${n}.done`, hex);
  }

  /** One file from byte `from` on. Its hash, or null when that is not as announced; the bytes are deleted then. */
  async #copy(
    source: ModelSource,
    { id }: StoredRecord,
    n: number,
    file: PinnedFile,
    from: number,
    meter: ProgressMeter,
    signal?: AbortSignal,
  ): Promise<string | null> {
    const hasher = await contentHasher(file.hash?.kind ?? 'sha256', file.bytes);
    meter.begin(file, from);
    if (from > 0) await this.#rehash(id, n, hasher, meter, signal);
    let at = from;
    const writer = await this.#directory.append(id, `${n}.bin`, from);
    try {
      for await (const piece of source.open(file).read(from, file.bytes, signal)) {
        await writer.write(piece);
        hasher.update(piece);
        at += piece.length;
        meter.add(piece.length);
        release(piece);
        signal?.throwIfAborted();
      }
    } catch (error) {
      // On a full disk closing fails too; the first error is the one to tell.
      await writer.close().catch(() => {});
      if (error instanceof WrongFileError) await this.#directory.remove(id, `${n}.bin`);
      throw error;
    }
    await writer.close();
    if (at !== file.bytes) throw new IntegrityError(`${file.path} has ${at} bytes instead of ${file.bytes}.`);
    const hex = hasher.digest();
    if (file.hash === undefined || hex === file.hash.hex) return hex;
    await this.#directory.remove(id, `${n}.bin`);
    return null;
  }

  async #rehash(id: string, n: number, hasher: ContentHasher, meter: ProgressMeter, signal?: AbortSignal) {
    const there = await this.#directory.open(id, `${n}.bin`);
    for await (const piece of there!.read(0, there!.size, signal)) {
      hasher.update(piece);
      meter.check(piece.length);
      release(piece);
    }
    meter.checked();
  }

  /** Leaves a model that can be gone on with, or nothing; the error to throw. */
  async #afterFailure(record: StoredRecord, error: unknown): Promise<unknown> {
    const { id, name, files } = record;
    if (error instanceof StoreFullError) {
      const got = (await this.get(id))?.storedBytes ?? 0;
      await this.#directory.remove(id);
      const total = sum(files.map(({ bytes }) => bytes));
      return new NoRoomError(
        `The disk or the browser's quota is full: ${inBytes(got)} of the ${inBytes(total)} of ${name} fitted. They were removed again; free ${inBytes(total - got)} or more and start anew.`,
        { cause: error },
      );
    }
    const sizes = await this.#directory.files(id);
    // The small files are soon fetched again: alone they are not worth an entry in the list.
    const largest = Math.max(...files.map(({ bytes }) => bytes));
    const worth = files.some(
      ({ bytes }, n) => (bytes === largest || bytes > SLACK) && (sizes.get(`${n}.bin`) ?? 0) > 0,
    );
    if (!worth) await this.#directory.remove(id);
    return error;
  }

  async #alone(id: string, name: string, work: () => Promise<void>): Promise<void> {
    if (await this.#exclusive(lockName(id), work)) return;
    throw new ModelBusyError(
      `${name} is being downloaded already, perhaps in another tab. Wait for it or cancel it there.`,
    );
  }
}

/** Frees at once what the garbage collector would let pile up: it waits for some 64 MB. Afterwards it is empty. */
function release({ buffer }: Uint8Array<ArrayBuffer>): void {
  const { transfer } = buffer as { transfer?: (length: number) => ArrayBuffer };
  transfer?.call(buffer, 0);
}

/** Names held within this program. */
function lockHere(): NonNullable<WeightStoreOptions['exclusive']> {
  const held = new Set<string>();
  return async (name, work) => {
    if (held.has(name)) return false;
    held.add(name);
    try {
      await work();
    } finally {
      held.delete(name);
    }
    return true;
  };
}

/** Milliseconds: a page that is reloaded takes its locks along a little later. */
const LOCK_PATIENCE = 3000;

/** Names held among all tabs and workers of the site, where the browser has locks. */
export const lockAmongTabs: WeightStoreOptions['exclusive'] =
  typeof navigator !== 'undefined' && 'locks' in navigator
    ? async (name, work) => {
        let held = false;
        try {
          await navigator.locks.request(name, { signal: AbortSignal.timeout(LOCK_PATIENCE) }, async () => {
            held = true;
            await work();
          });
        } catch (error) {
          if (held || (error as DOMException).name !== 'TimeoutError') throw error;
        }
        return held;
      }
    : undefined;

const lockName = (id: string) => `tinythink model ${id}`;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** `3.09 GB`, in powers of ten as the Hub writes sizes. */
export function inBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const digits = power === 0 ? 0 : power === 3 ? 2 : 1;
  return `${(bytes / 1000 ** power).toFixed(digits)} ${['bytes', 'kB', 'MB', 'GB'][power]}`;
}
