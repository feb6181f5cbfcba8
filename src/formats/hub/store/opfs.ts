/**
 * @file The origin private file system as the weight store's disk. Writing uses synchronous access handles, which exist only
 * in workers. Reading uses plain files, so that several tabs can read the same model.
 */
import { nameOf } from '../../../base/errors';
import { sleep } from '../../../base/sleep';
import { t } from '../../../i18n';
import { blobFile } from '../../files/blob-files';
import { StoreFullError } from './store-directory';
import type { StoreDirectory } from './store-directory';

/** Missing in TypeScript's DOM library, because it is for workers only. */
interface SyncAccessHandle {
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
type WorkerFileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> };
type Listed = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };

/** @throws Error when the browser offers no file storage, as in some private windows */
export async function openOpfs(name = 'models'): Promise<StoreDirectory> {
  const root = await openRoot(name);

  /** Null when there is no such folder. */
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
          // With a full disk, unlike a full quota, the browser may just write less.
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

/** The files of a folder as they lie on disk. @throws Error when the browser offers no file storage, or there is no folder */
export async function opfsFiles(folder: string, name = 'models'): Promise<File[]> {
  const directory = (await (await openRoot(name)).getDirectoryHandle(folder)) as Listed;
  const files: File[] = [];
  for await (const entry of directory.values()) {
    if (entry.kind === 'file') files.push(await (entry as FileSystemFileHandle).getFile());
  }
  return files;
}

/** How often to ask for a file that another worker still holds, and the milliseconds between two attempts. */
const ATTEMPTS = 12;
const WAIT = 250;

async function openForWriting(root: Listed, folder: string, file: string): Promise<SyncAccessHandle> {
  for (let attempt = 1; ; attempt++) {
    try {
      const directory = await root.getDirectoryHandle(folder, { create: true });
      const handle = (await directory.getFileHandle(file, { create: true })) as WorkerFileHandle;
      return await handle.createSyncAccessHandle();
    } catch (error) {
      // After a reload, the worker of the old page may still be there for a moment.
      if (nameOf(error) !== 'NoModificationAllowedError' || attempt === ATTEMPTS) throw asFull(error);
      await sleep(WAIT);
    }
  }
}

async function openRoot(name: string): Promise<Listed> {
  // Pages without https have no storage manager.
  if (!globalThis.navigator?.storage?.getDirectory) throw new Error(t('models:store.unsupported'));
  try {
    const root = await navigator.storage.getDirectory();
    return (await root.getDirectoryHandle(name, { create: true })) as Listed;
  } catch (error) {
    throw new Error(t('models:store.unavailable'), { cause: error });
  }
}

const asFull = (error: unknown) =>
  nameOf(error) === 'QuotaExceededError' ? new StoreFullError('the quota is used up', { cause: error }) : error;
const isMissing = (error: unknown) => nameOf(error) === 'NotFoundError';
