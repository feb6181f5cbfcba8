/** @file A map of files to a zip and back, through fflate. Unpacking takes the archive as hostile. */
import { messageOf } from './errors';
import { unzipSync, zipSync } from 'fflate';

export class ZipError extends Error {
  override name = 'ZipError';
}

export interface ZipLimits {
  /** Files in the archive, directories included. */
  files: number;
  /** Bytes of all files together, unpacked. */
  bytes: number;
}

const defaultLimits: ZipLimits = { files: 1000, bytes: 2 ** 31 };

/** Packs files under their paths. Weights hardly compress, so what is large is stored as it is. */
export function packZip(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const entries = [...files].map(
    ([path, bytes]) => [path, [bytes, { level: bytes.length > 1 << 20 ? 0 : 6 }]] as const,
  );
  return zipSync(Object.fromEntries(entries) as Parameters<typeof zipSync>[0]) as Uint8Array<ArrayBuffer>;
}

/**
 * Unpacks an archive. When all its files lie in one folder, that folder is left off the paths: people zip a folder as
 * often as its contents.
 * @throws ZipError when it is no zip, is damaged, claims more than the limits or leads out of its folder
 */
export function unpackZip(
  archive: Uint8Array,
  limits: ZipLimits = defaultLimits,
): Map<string, Uint8Array<ArrayBuffer>> {
  let count = 0;
  let claimed = 0;
  const sizes = new Map<string, number>();
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(archive, {
      // Called before each file is unpacked. fflate allocates what the directory claims and never writes beyond it.
      filter({ name, size, originalSize }) {
        if (++count > limits.files) throw new ZipError(`the zip has more than ${limits.files} files`);
        // The packed size too: a stored file has that many bytes, whatever its directory entry claims.
        claimed += Math.max(size, originalSize);
        sizes.set(name, originalSize);
        if (!(claimed <= limits.bytes)) throw new ZipError(`the zip unpacks to more than ${limits.bytes} bytes`);
        if (name.split(/[/\\]/).includes('..') || /^([/\\]|[A-Za-z]:)/.test(name)) {
          throw new ZipError(`the zip has a path that leads out of its folder: ${JSON.stringify(name.slice(0, 100))}`);
        }
        return !name.endsWith('/') && !name.startsWith('__MACOSX/') && !name.endsWith('.DS_Store');
      },
    });
  } catch (error) {
    if (error instanceof ZipError) throw error;
    throw new ZipError(`this zip can't be read: ${messageOf(error)}`);
  }
  const paths = Object.keys(entries);
  const damaged = paths.find((path) => entries[path]!.length !== sizes.get(path));
  if (damaged !== undefined) throw new ZipError(`the zip is damaged: ${JSON.stringify(damaged)} has not its full size`);
  const folder = /^[^/]+\//.exec(paths[0] ?? '')?.[0] ?? '';
  const cut = paths.every((path) => path.startsWith(folder)) ? folder.length : 0;
  return new Map(paths.map((path) => [path.slice(cut), entries[path] as Uint8Array<ArrayBuffer>]));
}
