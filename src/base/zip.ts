/** @file A map of files to a zip and back, through fflate. Unpacking takes the archive as hostile. */
import { unzipSync, zipSync } from 'fflate';
import { crc32 } from './crc32';
import { reasonOf } from './errors';

export class ZipError extends Error {
  override name = 'ZipError';
}

export interface ZipLimits {
  /** Files in the archive, directories included. */
  files: number;
  /** Bytes of all files together, unpacked. */
  bytes: number;
  /**
   * The most bytes that a file of this name may have, without its folders; 0 for one that isn't wanted, which is left
   * packed. By default all files are wanted.
   */
  wanted?: (name: string) => number;
}

const defaultLimits: ZipLimits = { files: 1000, bytes: 2 ** 31 };
/** Weights hardly shrink when they are packed, and texts to a tenth; what shrinks more was made to fill the memory. */
const MAX_RATIO = 200;
/** Small archives may shrink as much as they like. */
const SMALL_BYTES = 2 ** 24;

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
 * @throws ZipError when it is no zip, is damaged, claims more than the limits or leads out of its folder; a file whose
 *     checksum isn't the archive's is named
 */
export function unpackZip(
  archive: Uint8Array,
  limits: ZipLimits = defaultLimits,
): Map<string, Uint8Array<ArrayBuffer>> {
  let count = 0;
  let claimed = 0;
  const most = Math.min(limits.bytes, Math.max(SMALL_BYTES, MAX_RATIO * archive.length));
  const expected = new Map<string, { size: number; crc: number }>();
  let entries: Record<string, Uint8Array>;
  try {
    const checksums = directoryChecksums(archive);
    entries = unzipSync(archive, {
      // Called before each file is unpacked. fflate allocates what the directory claims and never writes beyond it.
      filter({ name, size, originalSize }) {
        const crc = checksums[count];
        if (++count > limits.files) throw new ZipError(`the zip has more than ${limits.files} files`);
        if (name.split(/[/\\]/).includes('..') || /^([/\\]|[A-Za-z]:)/.test(name)) {
          throw new ZipError(`the zip has a path that leads out of its folder: ${quoted(name)}`);
        }
        if (name.endsWith('/') || name.startsWith('__MACOSX/') || name.endsWith('.DS_Store')) return false;
        const wanted = limits.wanted?.(name.slice(name.lastIndexOf('/') + 1)) ?? Infinity;
        if (wanted === 0) return false;
        // The packed size too: a stored file has that many bytes, whatever its directory entry claims.
        const bytes = Math.max(size, originalSize);
        if (!(bytes <= wanted))
          throw new ZipError(`${quoted(name)} in the zip has ${bytes} bytes, more than ${wanted}`);
        claimed += bytes;
        if (!(claimed <= most)) throw new ZipError(`the zip unpacks to more than ${most} bytes`);
        if (crc === undefined || expected.has(name)) {
          throw new ZipError(`the zip is damaged: its list of files names ${quoted(name)} wrongly`);
        }
        expected.set(name, { size: originalSize, crc });
        return true;
      },
    });
  } catch (error) {
    if (error instanceof ZipError) throw error;
    throw new ZipError(`this zip can't be read: ${reasonOf(error)}`, { cause: error });
  }
  const paths = Object.keys(entries);
  for (const path of paths) {
    const { size, crc } = expected.get(path)!;
    const bytes = entries[path]!;
    if (bytes.length !== size) throw new ZipError(`the zip is damaged: ${quoted(path)} has not its full size`);
    if (crc32(bytes) !== crc) {
      throw new ZipError(`the zip is damaged: ${quoted(path)} is not what was packed (its checksum is wrong)`);
    }
  }
  const folder = /^[^/]+\//.exec(paths[0] ?? '')?.[0] ?? '';
  const cut = paths.every((path) => path.startsWith(folder)) ? folder.length : 0;
  return new Map(paths.map((path) => [path.slice(cut), entries[path] as Uint8Array<ArrayBuffer>]));
}

const quoted = (name: string) => JSON.stringify(name.slice(0, 100));

const END_OF_DIRECTORY = 0x06054b50;
const END_BYTES = 22;
const ZIP64_LOCATOR = 0x07064b50;
const DIRECTORY_ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;

/** The CRC-32 of each file, in the order of the archive's directory: fflate reads the directory without them. */
function directoryChecksums(archive: Uint8Array): number[] {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const u32 = (at: number) => (at >= 0 && at + 4 <= view.byteLength ? view.getUint32(at, true) : 0);
  const u16 = (at: number) => (at >= 0 && at + 2 <= view.byteLength ? view.getUint16(at, true) : 0);
  let end = archive.length - END_BYTES;
  // A comment of at most 64 kB may follow.
  while (end > archive.length - END_BYTES - 65536 && end > 0 && u32(end) !== END_OF_DIRECTORY) end--;
  let at = u32(end + 16);
  if (u32(end - 20) === ZIP64_LOCATOR) at = u32(u32(end - 12) + 48);
  const checksums: number[] = [];
  while (u32(at) === DIRECTORY_ENTRY) {
    checksums.push(u32(at + 16));
    at += ENTRY_BYTES + u16(at + 28) + u16(at + 30) + u16(at + 32);
  }
  return checksums;
}
