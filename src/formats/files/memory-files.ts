/** @file Files that are in memory, for example those of an unpacked zip. */
import type { ModelFiles, RangedFile } from './model-files';

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
