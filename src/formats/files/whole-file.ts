/** @file A small range of a file as one piece of memory, and files that are in memory. */
import type { ModelFiles, RangedFile } from './model-files';

/**
 * The bytes from `begin` to before `end`, by default all.
 * @throws Error when they are more than `limit`, or when fewer come; whatever reading throws
 */
export async function readWhole(
  file: RangedFile,
  limit: number,
  signal?: AbortSignal,
  begin = 0,
  end = file.size,
): Promise<Uint8Array<ArrayBuffer>> {
  if (end - begin > limit) throw new Error(`${file.name} has ${end - begin} bytes, more than the ${limit} expected`);
  const bytes = new Uint8Array(end - begin);
  let filled = 0;
  for await (const piece of file.read(begin, end, signal)) {
    if (filled + piece.byteLength > bytes.byteLength) throw new Error(`${file.name} gave more bytes than asked for`);
    bytes.set(piece, filled);
    filled += piece.byteLength;
  }
  if (filled < bytes.byteLength) {
    throw new Error(`${file.name} was cut short: ${bytes.byteLength} bytes expected, ${filled} came`);
  }
  return bytes;
}

const PIECE = 1 << 20;

/** Bytes in memory as a file. */
export function memoryFile(name: string, bytes: Uint8Array): RangedFile {
  return {
    name,
    size: bytes.byteLength,
    async *read(begin, end, signal) {
      for (let at = begin; at < end; at += PIECE) {
        signal?.throwIfAborted();
        yield bytes.slice(at, Math.min(end, at + PIECE)) as Uint8Array<ArrayBuffer>;
      }
    },
  };
}

/** Files in a map by path, for example an unpacked zip. */
export function mapFiles(name: string, files: ReadonlyMap<string, Uint8Array>): ModelFiles {
  return {
    name,
    list: () => Promise.resolve([...files.keys()]),
    open(path) {
      const bytes = files.get(path);
      return Promise.resolve(bytes ? memoryFile(path, bytes) : null);
    },
  };
}
