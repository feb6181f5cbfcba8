/**
 * @file What the weight store needs from a disk: one level of folders with files in them. In the browser that is OPFS
 * (opfs.ts); the implementation in memory is for tests.
 */
import type { RangedFile } from '../../files/model-files';

export interface StoreDirectory {
  folders(): Promise<string[]>;
  /** The names of a folder's files with their sizes in bytes; empty when there is no such folder. */
  files(folder: string): Promise<Map<string, number>>;
  /** Null when there is no such file. */
  open(folder: string, file: string): Promise<RangedFile | null>;
  /** Continues a file at byte `at` and discards what was beyond. Creates the folder and the file if needed. */
  append(folder: string, file: string, at: number): Promise<StoreWriter>;
  /** Removes a file, or a folder with everything in it. Does nothing when it doesn't exist. */
  remove(folder: string, file?: string): Promise<void>;
}

export interface StoreWriter {
  /** @throws StoreFullError when the disk or the browser's quota is full */
  write(bytes: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /** Only after this are the bytes guaranteed to be on disk. */
  close(): Promise<void>;
}

/** The disk or the quota is full. */
export class StoreFullError extends Error {
  override name = 'StoreFullError';
}

/** Writes a small text file. A crash may leave it truncated. */
export async function writeSmall(directory: StoreDirectory, folder: string, file: string, text: string): Promise<void> {
  const writer = await directory.append(folder, file, 0);
  try {
    await writer.write(new TextEncoder().encode(text));
  } finally {
    await writer.close();
  }
}

/** Reads a small text file; null when there is none. */
export async function readSmall(directory: StoreDirectory, folder: string, file: string): Promise<string | null> {
  const found = await directory.open(folder, file);
  return found && new TextDecoder().decode(await readAll(found));
}

/** Reads a whole file into memory, so only for small ones. */
export async function readAll(file: RangedFile, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(file.size);
  let at = 0;
  for await (const piece of file.read(0, file.size, signal)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Files in memory, kept as pieces so that appending copies nothing. @param capacity bytes of all files together */
export class MemoryDirectory implements StoreDirectory {
  readonly #folders = new Map<string, Map<string, Uint8Array<ArrayBuffer>[]>>();

  constructor(readonly capacity = Infinity) {}

  /** Bytes of all files. */
  get used(): number {
    return [...this.#folders.values()].flatMap((files) => [...files.values()].map(sizeOf)).reduce((a, b) => a + b, 0);
  }

  folders(): Promise<string[]> {
    return Promise.resolve([...this.#folders.keys()]);
  }

  files(folder: string): Promise<Map<string, number>> {
    const files = [...(this.#folders.get(folder) ?? [])];
    return Promise.resolve(new Map(files.map(([name, pieces]) => [name, sizeOf(pieces)])));
  }

  open(folder: string, file: string): Promise<RangedFile | null> {
    const pieces = this.#folders.get(folder)?.get(file);
    if (!pieces) return Promise.resolve(null);
    return Promise.resolve({ name: file, size: sizeOf(pieces), read: (begin, end) => cut(pieces, begin, end) });
  }

  append(folder: string, file: string, at: number): Promise<StoreWriter> {
    const files = this.#folders.get(folder) ?? new Map<string, Uint8Array<ArrayBuffer>[]>();
    this.#folders.set(folder, files);
    const old = files.get(file) ?? [];
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let kept = 0;
    for (const piece of old) {
      if (kept < at) pieces.push(piece.subarray(0, at - kept));
      kept += piece.length;
    }
    files.set(file, pieces);
    return Promise.resolve({
      write: (bytes) => {
        if (this.used + bytes.length > this.capacity) throw new StoreFullError('the memory is full');
        pieces.push(bytes.slice());
      },
      close: () => Promise.resolve(),
    });
  }

  remove(folder: string, file?: string): Promise<void> {
    if (file === undefined) this.#folders.delete(folder);
    else this.#folders.get(folder)?.delete(file);
    return Promise.resolve();
  }
}

const sizeOf = (pieces: readonly Uint8Array[]) => pieces.reduce((sum, piece) => sum + piece.length, 0);

async function* cut(
  pieces: readonly Uint8Array<ArrayBuffer>[],
  begin: number,
  end: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let at = 0;
  for (const piece of pieces) {
    const inside = piece.slice(Math.max(0, begin - at), Math.max(0, end - at));
    if (inside.length > 0) yield inside;
    at += piece.length;
  }
}
