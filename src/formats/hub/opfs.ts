/**
 * @file The origin's private file system as the weight store's disk. Writing goes through synchronous access handles,
 * which exist only in workers; reading through plain files, so that several tabs can read one model.
 */
import { sleep } from '../../base/sleep';
import { nameOf, messageOf } from '../../base/errors';
import { blobFile } from '../files/blob-files';
import { StoreFullError } from './store-directory';
import type { StoreDirectory } from './store-directory';

/** What TypeScript's DOM library leaves out, because it is for workers only. */
interface SyncAccessHandle {
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
type WorkerFileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> };
type Listed = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

/** @throws Error when the browser keeps no files for this page, as in some private windows */
export async function openOpfs(name = 'models'): Promise<StoreDirectory> {
  const root = await openRoot(name);

  /** null when there is no such folder. */
  const find = async (folder: string) => {
    try {
      return (await root.getDirectoryHandle(folder)) as Listed;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  };

  return {
    async folders() {
      const names: string[] = [];
      for await (const entry of root.values()) if (entry.kind === 'directory') names.push(entry.name);
      return names;
    },
    async files(folder) {
      const sizes = new Map<string, number>();
      for await (const entry of (await find(folder))?.values() ?? []) {
        if (entry.kind === 'file') sizes.set(entry.name, (await (entry as FileSystemFileHandle).getFile()).size);
      }
      return sizes;
    },
    async open(folder, file) {
      try {
        const handle = await (await find(folder))?.getFileHandle(file);
        return handle ? blobFile(file, await handle.getFile()) : null;
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    async append(folder, file, at) {
      const access = await openForWriting(root, folder, file);
      let end = at;
      try {
        access.truncate(at);
      } catch (error) {
        access.close();
        throw asFull(error);
      }
      return {
        write(bytes) {
          let written: number;
          try {
            written = access.write(bytes, { at: end });
          } catch (error) {
            throw asFull(error);
          }
          end += written;
          // A full disk, unlike a full quota, may only write less.
          if (written < bytes.length) throw new StoreFullError('the disk is full');
        },
        async close() {
          try {
            access.flush();
          } catch (error) {
            throw asFull(error);
          } finally {
            access.close();
          }
        },
      };
    },
    async remove(folder, file) {
      try {
        if (file === undefined) await root.removeEntry(folder, { recursive: true });
        else await (await find(folder))?.removeEntry(file);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },
  };
}

/** How often, and after how many milliseconds, a file is asked for again that another worker still holds. */
const TRIES = 12;
const PAUSE = 250;

async function openForWriting(root: Listed, folder: string, file: string): Promise<SyncAccessHandle> {
  for (let tries = 1; ; tries++) {
    try {
      const directory = await root.getDirectoryHandle(folder, { create: true });
      const handle = (await directory.getFileHandle(file, { create: true })) as WorkerFileHandle;
      return await handle.createSyncAccessHandle();
    } catch (error) {
      // The worker of a page that was just reloaded may not be gone yet.
      if (nameOf(error) !== 'NoModificationAllowedError' || tries === TRIES) throw asFull(error);
      await sleep(PAUSE);
    }
  }
}

async function openRoot(name: string): Promise<Listed> {
  try {
    const root = await navigator.storage.getDirectory();
    return (await root.getDirectoryHandle(name, { create: true })) as Listed;
  } catch (error) {
    const reason = messageOf(error);
    const message = `This browser keeps no files for this page, as in some private windows (${reason}). A model file can still be dropped and used in place.`;
    throw new Error(message, { cause: error });
  }
}

const asFull = (error: unknown) =>
  nameOf(error) === 'QuotaExceededError' ? new StoreFullError('the quota is used up', { cause: error }) : error;
const isMissing = (error: unknown) => nameOf(error) === 'NotFoundError';
