/** @file Files that the user chose or dropped, read in place: a model of any size without a second copy of it. */
import { messageOf } from '../../base/errors';
import type { ChosenFiles } from '../hub/model-address';
import type { RangedFile } from './model-files';

const PIECE = 4 << 20;

/** @throws (from `read`) Error when the file was changed or removed since it was chosen */
export function blobFile(name: string, blob: Blob): RangedFile {
  return {
    name,
    size: blob.size,
    async *read(begin, end, signal) {
      for (let at = begin; at < end; at += PIECE) {
        signal?.throwIfAborted();
        let bytes: ArrayBuffer;
        try {
          bytes = await blob.slice(at, Math.min(end, at + PIECE)).arrayBuffer();
        } catch (error) {
          const reason = messageOf(error);
          throw new Error(`${name} can't be read any more; it may have been changed or removed (${reason})`, {
            cause: error,
          });
        }
        yield new Uint8Array(bytes);
      }
    },
  };
}

/** Where each file lies, the chosen folder's own name first; just the name of a file that was chosen by itself. */
export const chosenPaths = ({ files, paths }: ChosenFiles): string[] =>
  paths ?? files.map((file) => file.webkitRelativePath || file.name);

/** What the user chose or dropped by path, without the folder's own name; with that name, or null where it isn't known. */
export function chosenFiles(chosen: ChosenFiles): { folder: string | null; paths: Map<string, File> } {
  const all = chosenPaths(chosen);
  const paths = all.map((path, i) => [path.replace(/^[^/]*\//, ''), chosen.files[i]!] as const);
  const folder = all.find((path) => path.includes('/'));
  return { folder: folder?.split('/')[0] ?? null, paths: new Map(paths) };
}
