/** @file Models on this machine's disk: a folder or a .gguf read by ranges, and a folder as the weight store's disk. */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ModelFiles, RangedFile } from '../formats/files/model-files';
import { StoreFullError } from '../formats/hub/store/store-directory';
import type { StoreDirectory } from '../formats/hub/store/store-directory';
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

/** Folders below `root`, which is made when it isn't there. */
export async function diskDirectory(root: string): Promise<StoreDirectory> {
  await mkdir(root, { recursive: true });
  const at = (...names: string[]) => inside(root, join(...names));
  return {
    folders: async () =>
      (await readdir(root, { withFileTypes: true })).filter((e) => e.isDirectory()).map((e) => e.name),
    async files(folder) {
      const entries = await readdir(at(folder)).catch(() => []);
      const sizes = entries.map(async (name) => [name, (await stat(at(folder, name))).size] as const);
      return new Map(await Promise.all(sizes));
    },
    open: (folder, file) => diskFile(at(folder, file)),
    async append(folder, file, position) {
      await mkdir(at(folder), { recursive: true });
      const handle = await open(at(folder, file), 'a');
      await handle.truncate(position);
      return {
        async write(bytes) {
          try {
            await handle.appendFile(bytes);
          } catch (error) {
            throw code(error) === 'ENOSPC' ? new StoreFullError('the disk is full', { cause: error }) : error;
          }
        },
        async close() {
          await handle.sync();
          await handle.close();
        },
      };
    },
    remove: (folder, file) => rm(file === undefined ? at(folder) : at(folder, file), { recursive: true, force: true }),
  };
}
