/** @file The models that can be chosen: the embedded one, checkpoints of runs, imported, downloaded and dropped models, and models on servers. */
import type { LoadOptions } from '../../../../engine/load-options';
import { t } from '../../../../i18n';
import { defaultRunConfig } from '../../../../runs/config';
import { formatModelId, parseModelId } from '../../../../runs/model-id';
import type { RunStorage } from '../../../../storage/run-storage';
import { CHARACTERS } from '../../../../tasks/vocabulary';
import type { SamplingHints } from '../settings/sampling';

export type ModelGroup = 'tiny' | 'downloaded' | 'servers' | 'files';

export interface ModelChoice extends SamplingHints {
  /** See src/runs/model-id.ts. */
  id: string;
  /** The heading that it is listed under. */
  group: ModelGroup;
  /** Knows the toy tasks and nothing else: gets example problems, has its answers checked, and writes no Markdown. */
  toy: boolean;
  /** All characters that it can read, if they are few. */
  characters?: string;
  /** The user's own files, for as long as the page is open. */
  files?: File[];
  /** How to load it; the defaults if absent. */
  load?: LoadOptions;
}

export const DEFAULT_MODEL = defaultRunConfig.model;

/** A downloaded model in the browser's storage. */
export interface StoredEntry {
  id: string;
  name: string;
  complete: boolean;
}

export interface ModelSources {
  storage: Pick<RunStorage, 'list' | 'checkpointSteps' | 'modelNames'>;
  stored?: () => Promise<StoredEntry[]>;
  remote?: () => Promise<ModelChoice[]>;
}

const toy = (id: string, label: string): ModelChoice => ({ id, label, group: 'tiny', toy: true });
/** The embedded model, or a checkpoint of a run that started from it. */
const embedded = (id: string, label: string): ModelChoice => ({ ...toy(id, label), characters: CHARACTERS });
const pretrained = (): ModelChoice => embedded(DEFAULT_MODEL, t('chat:models.pretrained', { model: DEFAULT_MODEL }));

/** Never rejects: what can't be read is left out, and the embedded model is always there. */
export async function listModels({ storage, stored, remote }: ModelSources): Promise<ModelChoice[]> {
  const models = [pretrained()];
  try {
    for (const run of await storage.list()) {
      const step = (await storage.checkpointSteps(run.id)).at(-1);
      if (step === undefined) continue;
      const id = formatModelId({ kind: 'checkpoint', run: run.id, step });
      const label = t('chat:models.checkpoint', { run: run.name, step });
      if (run.model.reads_language) models.push({ id, label, group: 'downloaded', toy: false });
      else models.push(run.config.model === DEFAULT_MODEL ? embedded(id, label) : toy(id, label));
    }
    for (const name of await storage.modelNames()) {
      models.push(toy(formatModelId({ kind: 'imported', name }), t('chat:models.imported', { name })));
    }
  } catch {
    // Some private windows refuse storage. Then there are no saved runs either.
  }
  try {
    for (const { id, name, complete } of (await stored?.()) ?? []) {
      if (!complete) continue;
      models.push({ id: formatModelId({ kind: 'downloaded', id }), label: name, group: 'downloaded', toy: false });
    }
  } catch {
    // No engine or no store.
  }
  try {
    models.push(...((await remote?.()) ?? []));
  } catch {
    // Storage is blocked, so no servers are saved.
  }
  return models;
}

/** A model of which only the id is known, as from an address or an old conversation. */
export function namedModel(id: string): ModelChoice {
  const parts = parseModelId(id);
  if (parts?.kind === 'server') return { id, label: parts.model, group: 'servers', toy: false };
  if (parts?.kind === 'downloaded' || parts?.kind === 'opened') {
    return { id, label: id, group: 'downloaded', toy: false };
  }
  return id === DEFAULT_MODEL ? pretrained() : toy(id, id);
}

/** The models under headings, in the order of `groups`. Groups without models are left out. */
export function modelsByGroup(
  models: readonly ModelChoice[],
  groups: readonly ModelGroup[],
): { heading: string; models: ModelChoice[] }[] {
  return groups
    .map((group) => ({ heading: t(`modelGroups.${group}`), models: models.filter((each) => each.group === group) }))
    .filter((group) => group.models.length > 0);
}

/** The characters of a text that a model can't read, each once; empty if it can read the text. */
export function unknownCharacters({ characters }: Pick<ModelChoice, 'characters'>, text: string): string[] {
  if (characters === undefined) return [];
  return [...new Set(text)].filter((character) => !characters.includes(character));
}

/** A character in quotation marks, or the code of one that can't be seen. */
export const nameOfCharacter = (character: string): string =>
  /[\p{C}\p{Z}]/u.test(character)
    ? `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`
    : `“${character}”`;

/** What a model can read besides digits, small letters and spaces. */
export const symbolsOf = (characters: string): string =>
  [...characters].filter((each) => /[^a-z0-9 ]/.test(each)).join(' ');

let ownCount = 0;

/**
 * A model from files that the user chose or dropped: one .gguf, or the files of a Hugging Face folder.
 * @throws Error saying what is missing
 */
export function modelOfFiles(files: File[]): ModelChoice {
  const gguf = files.filter(({ name }) => /\.gguf$/i.test(name));
  // Different in every visit, because saved conversations refer to it.
  const id = formatModelId({ kind: 'opened', id: `${Date.now().toString(36)}-${++ownCount}` });
  const own = { id, group: 'files', toy: false } as const;
  if (gguf.length === 1) return { ...own, label: gguf[0]!.name, files: gguf };
  if (gguf.length > 1) throw new Error(t('chat:models.severalFiles'));
  const names = new Set(files.map(({ name }) => name));
  if (!names.has('config.json')) throw new Error(t('chat:models.notAModel'));
  if (![...names].some((name) => name.endsWith('.safetensors'))) throw new Error(t('chat:models.noWeights'));
  // Empty unless a whole folder was chosen.
  const [folder] = (files[0]?.webkitRelativePath ?? '').split('/');
  return { ...own, label: folder || t('chat:models.unnamedFolder'), files };
}
