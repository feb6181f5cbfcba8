/** @file Models on this machine's disk: a folder or a .gguf read by ranges. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ModelFiles, RangedFile } from '../formats/files/model-files';
import { inside } from './files';

const PIECE = 1 << 20;

const code = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code;

/** The model in a folder, or the one that a .gguf file holds. @throws Error when there is nothing at the path */
export async function modelFiles(path: string): Promise<ModelFiles> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new Error(`there is no model at ${path}`);
  if (found.isDirectory()) {
    return {
      name: path,
      list: async () => (await readdir(path, { withFileTypes: true })).filter((e) => e.isFile()).map((e) => e.name),
      open: (name) => diskFile(inside(path, name)),
    };
  }
  if (!/\.gguf$/i.test(path)) throw new Error(`${path} is neither a folder nor a .gguf file`);
  const name = basename(path);
  return {
    name,
    list: () => Promise.resolve([name]),
    open: (wanted) => (wanted === name ? diskFile(join(dirname(path), name)) : Promise.resolve(null)),
  };
}

/** A file on disk, opened anew for each read; null when there is none. */
export async function diskFile(path: string): Promise<RangedFile | null> {
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch (error) {
    if (code(error) === 'ENOENT' || code(error) === 'ENOTDIR') return null;
    throw new Error(`could not read ${path}: ${(error as Error).message}`, { cause: error });
  }
  return {
    name: path,
    size,
    async *read(begin, end, signal) {
      signal?.throwIfAborted();
      if (begin >= end) return;
      let at = begin;
      try {
        const options = { start: begin, end: end - 1, highWaterMark: PIECE, ...(signal && { signal }) };
        for await (const chunk of createReadStream(path, options)) {
          at += (chunk as Buffer).length;
          // Node's small reads share a pool; the reader may keep what it gets.
          yield Uint8Array.from(chunk as Buffer);
        }
      } catch (error) {
        signal?.throwIfAborted();
        throw new Error(`could not read ${path}: ${(error as Error).message}`, { cause: error });
      }
      if (at < end) throw new Error(`${path} is cut short: ${end} bytes expected, ${at} there`);
    },
  };
}
