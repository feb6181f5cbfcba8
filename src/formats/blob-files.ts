/** @file Files that the user chose or dropped, read in place: a model of any size without a second copy of it. */
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
          const reason = error instanceof Error ? error.message : String(error);
          throw new Error(`${name} can't be read any more; it may have been changed or removed (${reason})`, {
            cause: error,
          });
        }
        yield new Uint8Array(bytes);
      }
    },
  };
}

/** What the user chose or dropped by path, without the folder's own name; with that name, or null where it isn't known. */
export function chosenFiles(files: readonly File[]): { folder: string | null; paths: Map<string, File> } {
  const inFolder = (file: File) => file.webkitRelativePath || file.name;
  const paths = files.map((file) => [inFolder(file).replace(/^[^/]*\//, ''), file] as const);
  const folder = files.map(inFolder).find((path) => path.includes('/'));
  return { folder: folder?.split('/')[0] ?? null, paths: new Map(paths) };
}
