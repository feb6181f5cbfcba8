/** @file The manifest of a stored model: what it is, and which files belong to it. Written once, before anything else. */
import * as v from 'valibot';
import { t } from '../../../i18n';
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

const count = v.pipe(v.number(), v.finite(), v.minValue(0));
const schema = v.object({
  format: v.literal(1),
  id: v.string(),
  name: v.string(),
  origin: v.variant('kind', [
    v.object({
      kind: v.literal('hub'),
      endpoint: v.string(),
      repo: v.string(),
      revision: v.string(),
      file: v.exactOptional(v.string()),
    }),
    v.object({ kind: v.literal('url'), url: v.string() }),
    v.object({ kind: v.literal('file'), name: v.string() }),
  ]),
  licence: v.nullable(v.string()),
  architecture: v.string(),
  parameters: count,
  quantisation: v.string(),
  added: count,
  files: v.array(
    v.object({
      path: v.string(),
      bytes: count,
      hash: v.exactOptional(v.object({ kind: v.picklist(['sha256', 'git-blob']), hex: v.string() })),
      version: v.exactOptional(v.string()),
    }),
  ),
});

/** Null when there is none, or it can't be read; see `manifestTrouble`. */
export async function readManifest(directory: StoreDirectory, id: string): Promise<Manifest | null> {
  const text = await readSmall(directory, id, FILE);
  if (text === null) return null;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success && result.output.id === id ? result.output : null;
  } catch {
    return null;
  }
}

/** Why a model has no readable manifest, as a sentence. */
export async function manifestTrouble(directory: StoreDirectory, id: string): Promise<string> {
  const text = await readSmall(directory, id, FILE);
  if (text === null) return t('models:store.noManifest');
  try {
    const { format } = JSON.parse(text) as { format?: unknown };
    if (typeof format === 'number' && format > 1) return t('storage:unreadable.later');
  } catch {
    // It was cut short, or is something else.
  }
  return t('models:store.damagedManifest');
}

/** @throws StoreFullError */
export async function writeManifest(directory: StoreDirectory, manifest: Manifest): Promise<void> {
  await writeSmall(directory, manifest.id, FILE, JSON.stringify(manifest));
}
