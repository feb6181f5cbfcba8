/** @file Reads a small range of a file into one piece of memory. */
import type { RangedFile } from './model-files';

/**
 * The bytes from `begin` to before `end`, by default all.
 * @throws Error when they are more than `limit`, or when fewer come; whatever reading throws
 */
export async function readWhole(
  file: RangedFile,
  limit: number,
  signal?: AbortSignal,
  begin = 0,
  end = file.size,
): Promise<Uint8Array<ArrayBuffer>> {
  if (end - begin > limit) throw new Error(`${file.name} has ${end - begin} bytes, more than the ${limit} expected`);
  const bytes = new Uint8Array(end - begin);
  let filled = 0;
  for await (const piece of file.read(begin, end, signal)) {
    if (filled + piece.byteLength > bytes.byteLength) throw new Error(`${file.name} gave more bytes than asked for`);
    bytes.set(piece, filled);
    filled += piece.byteLength;
  }
  if (filled < bytes.byteLength) {
    throw new Error(`${file.name} was cut short: ${bytes.byteLength} bytes expected, ${filled} came`);
  }
  return bytes;
}
