/** @file Hashes of files, computed piece by piece: sha256, and git's id of a file, which the Hub gives for small ones. */

/** Large, and needed only for downloads, so it is loaded late. */
const library = () => import('hash-wasm');

export interface ContentHash {
  kind: 'sha256' | 'git-blob';
  /** Lower case. */
  hex: string;
}

export interface ContentHasher {
  update(bytes: Uint8Array): void;
  /** Ends the hash. @returns lower-case hex */
  digest(): string;
}

/** @param bytes the file's size, which git's id depends on */
export async function contentHasher(kind: ContentHash['kind'], bytes: number): Promise<ContentHasher> {
  const { createSHA1, createSHA256 } = await library();
  const hasher = await (kind === 'sha256' ? createSHA256() : createSHA1());
  hasher.init();
  if (kind === 'git-blob') hasher.update(`blob ${bytes}\0`);
  return { update: (piece) => void hasher.update(piece), digest: () => hasher.digest() };
}

/** The sha256 of a short text, for names. */
export async function textHash(text: string): Promise<string> {
  const { createSHA256 } = await library();
  const hasher = await createSHA256();
  return hasher.init().update(text).digest();
}
