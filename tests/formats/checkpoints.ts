/** @file The committed checkpoints (tests/goldens/checkpoints) as ModelFiles. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { ModelFiles } from '../../src/formats/files/model-files';
import { mapFiles } from '../../src/formats/files/memory-files';

const root = new URL('../goldens/checkpoints/', import.meta.url);

export const readGolden = (path: string): Uint8Array => new Uint8Array(readFileSync(new URL(path, root)));

/** A folder, or a single .gguf under its file name; some of its files changed or, with null, left out. */
export function checkpoint(name: string, changes: Record<string, Uint8Array | null> = {}): ModelFiles {
  const files = new Map<string, Uint8Array>();
  if (statSync(new URL(name, root)).isFile()) files.set(name, readGolden(name));
  else for (const file of readdirSync(new URL(`${name}/`, root))) files.set(file, readGolden(`${name}/${file}`));
  for (const [path, bytes] of Object.entries(changes)) {
    if (bytes) files.set(path, bytes);
    else files.delete(path);
  }
  return mapFiles(name, files);
}
