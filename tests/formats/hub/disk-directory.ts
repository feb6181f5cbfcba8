/** @file A folder of the file system as the weight store's disk. */
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { inside } from '../../../src/cli/files';
import { diskFile } from '../../../src/cli/model-files';
import { StoreFullError, type StoreDirectory } from '../../../src/formats/hub/store/store-directory';

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
            throw (error as NodeJS.ErrnoException).code === 'ENOSPC'
              ? new StoreFullError('the disk is full', { cause: error })
              : error;
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
