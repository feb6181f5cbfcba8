/**
 * @file Copies one file of a model into the store and verifies it. Bytes are hashed on their way to the disk. What an
 * earlier attempt left is read and hashed again, which verifies what is on the disk and needs no state that a crash could
 * damage.
 */
import { t } from '../../../i18n';
import { WrongFileError } from '../http/errors';
import type { ModelSource, PinnedFile } from '../source/model-source';
import { contentHasher } from './content-hash';
import type { ContentHasher } from './content-hash';
import { IntegrityError } from './errors';
import type { ProgressMeter } from './progress-meter';
import { writeSmall } from './store-directory';
import type { StoreDirectory } from './store-directory';

/** The names of file n of the manifest: its bytes, and its hash once it is complete, verified and on disk. */
export const dataFile = (n: number): string => `${n}.bin`;
export const hashFile = (n: number): string => `${n}.done`;

export interface Copy {
  source: ModelSource;
  directory: StoreDirectory;
  /** The model's folder. */
  id: string;
  /** The file, and its place in the manifest. */
  file: PinnedFile;
  n: number;
  meter: ProgressMeter;
  signal?: AbortSignal | undefined;
}

/**
 * Copies a file, resuming where an earlier attempt stopped. Does nothing when it is stored already.
 * @throws IntegrityError, whatever the source throws, StoreFullError, DOMException AbortError
 */
export async function copyFile(copy: Copy): Promise<void> {
  const { directory, id, file, n, meter } = copy;
  const sizes = await directory.files(id);
  const stored = sizes.get(dataFile(n)) ?? 0;
  if (sizes.has(hashFile(n)) && stored === file.bytes) return meter.skip(file);
  await directory.remove(id, hashFile(n));
  const resumed = stored > 0 && stored <= file.bytes;
  let hex = await copyFrom(copy, resumed ? stored : 0);
  // After a power cut a file may have the right length but not the right bytes, so a resumed file gets a second chance.
  if (hex === null && resumed) hex = await copyFrom(copy, 0);
  if (hex === null) {
    const { kind } = file.hash!;
    throw new IntegrityError(
      t('models:store.wrongHash', { file: file.path, model: copy.source.name, kind, expected: file.hash!.hex }),
    );
  }
  await writeSmall(directory, id, hashFile(n), hex);
}

/** Copies from byte `from` on. Resolves to the hash, or to null when it is wrong; the bytes are deleted then. */
async function copyFrom(copy: Copy, from: number): Promise<string | null> {
  const { source, directory, id, file, n, meter, signal } = copy;
  const hasher = await contentHasher(file.hash?.kind ?? 'sha256', file.bytes);
  meter.begin(file, from);
  if (from > 0) await hashStored(copy, hasher);
  let at = from;
  const writer = await directory.append(id, dataFile(n), from);
  try {
    for await (const piece of source.open(file).read(from, file.bytes, signal)) {
      await writer.write(piece);
      hasher.update(piece);
      at += piece.length;
      meter.add(piece.length);
      release(piece);
      signal?.throwIfAborted();
    }
  } catch (error) {
    // On a full disk closing fails too, but the first error is the one to report.
    await writer.close().catch(() => {});
    if (error instanceof WrongFileError) await directory.remove(id, dataFile(n));
    throw error;
  }
  await writer.close();
  if (at !== file.bytes) {
    throw new IntegrityError(t('models:store.wrongLength', { file: file.path, found: at, expected: file.bytes }));
  }
  const hex = hasher.digest();
  if (file.hash === undefined || hex === file.hash.hex) return hex;
  await directory.remove(id, dataFile(n));
  return null;
}

async function hashStored({ directory, id, n, meter, signal }: Copy, hasher: ContentHasher): Promise<void> {
  const stored = await directory.open(id, dataFile(n));
  for await (const piece of stored!.read(0, stored!.size, signal)) {
    hasher.update(piece);
    meter.check(piece.length);
    release(piece);
  }
  meter.checked();
}

/** Frees the memory at once and leaves the piece empty. The garbage collector would let about 64 MB pile up. */
function release({ buffer }: Uint8Array<ArrayBuffer>): void {
  const { transfer } = buffer as { transfer?: (length: number) => ArrayBuffer };
  transfer?.call(buffer, 0);
}
