/** @file The manifest of a stored model: what it is, and which files belong to it. Written once, before anything else. */
import type { PinnedFile } from '../source/model-source';
import type { ModelFacts } from '../stored-model';
import { readSmall, writeSmall } from './store-directory';
import type { StoreDirectory } from './store-directory';

export interface Manifest extends ModelFacts {
  format: 1;
  id: string;
  /** Milliseconds since 1970. */
  added: number;
  files: PinnedFile[];
}

const FILE = 'manifest.json';

/** Null when there is none, or a crash left it unreadable. */
export async function readManifest(directory: StoreDirectory, id: string): Promise<Manifest | null> {
  const text = await readSmall(directory, id, FILE);
  if (text === null) return null;
  try {
    const manifest = JSON.parse(text) as Manifest;
    return manifest.format === 1 && manifest.id === id ? manifest : null;
  } catch {
    return null;
  }
}

/** @throws StoreFullError */
export async function writeManifest(directory: StoreDirectory, manifest: Manifest): Promise<void> {
  await writeSmall(directory, manifest.id, FILE, JSON.stringify(manifest));
}
