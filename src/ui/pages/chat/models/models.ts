/** @file Whom the chat can ask, wherever they are: the embedded model, checkpoints of runs, imported and stored models, servers. */
import { formatModelId, parseModelId } from '../../../../runs/model-id';
import { defaultRunConfig } from '../../../../runs/config';
import type { LoadOptions } from '../../../../engine/load-options';
import { hasAdapters } from '../../../../runs/model-capabilities';
import type { RunStorage } from '../../../../storage/run-storage';
import type { SamplingHints } from '../settings/settings';

export interface ModelChoice extends SamplingHints {
  /** See src/runs/model-id.ts. */
  id: string;
  /** The heading it is listed under. */
  group: 'Toy models' | 'Large models' | 'Your files' | 'On servers';
  /** Knows the toy tasks and nothing else: it is offered examples, is judged, and writes no markdown. */
  toy: boolean;
  /** Given by the reader for as long as the page is open. */
  files?: File[];
  /** How the reader wants it loaded. */
  load?: LoadOptions;
}

export const DEFAULT_MODEL = defaultRunConfig.model;

/** A large model in the browser's storage, as far as the chat cares. */
export interface StoredEntry {
  id: string;
  name: string;
  complete: boolean;
}

type Storage = Pick<RunStorage, 'list' | 'checkpointSteps' | 'modelNames'>;

const toy = (id: string, label: string): ModelChoice => ({ id, label, group: 'Toy models', toy: true });

/** Never rejects: when nothing can be read from storage, the embedded model is still there. */
export async function chatModels(
  storage: Storage,
  stored: () => Promise<StoredEntry[]> = () => Promise.resolve([]),
  remote: () => Promise<ModelChoice[]> = () => Promise.resolve([]),
): Promise<ModelChoice[]> {
  const models = [toy(DEFAULT_MODEL, `${DEFAULT_MODEL}, as pretrained`)];
  try {
    for (const run of await storage.list()) {
      const step = (await storage.checkpointSteps(run.id)).at(-1);
      if (step === undefined) continue;
      const model = toy(formatModelId({ kind: 'checkpoint', run: run.id, step }), `${run.name}, after step ${step}`);
      models.push(hasAdapters(run.config) ? { ...model, group: 'Large models', toy: false } : model);
    }
    for (const name of await storage.modelNames()) {
      models.push(toy(formatModelId({ kind: 'imported', name }), `${name}, imported`));
    }
  } catch {
    // Some private windows refuse storage; then there are no saved runs either.
  }
  try {
    for (const { id, name, complete } of await stored()) {
      if (complete)
        models.push({ id: formatModelId({ kind: 'downloaded', id }), label: name, group: 'Large models', toy: false });
    }
  } catch {
    // No engine or no store: the others are there.
  }
  try {
    models.push(...(await remote()));
  } catch {
    // Nothing is stored here, servers neither.
  }
  return models;
}

/** A model by its id alone, as an address or an old conversation names it. */
export function namedModel(id: string): ModelChoice {
  const model = parseModelId(id);
  if (model?.kind === 'server') return { id, label: model.model, group: 'On servers', toy: false };
  const isLarge = model?.kind === 'downloaded' || model?.kind === 'opened';
  return { id, label: id, group: isLarge ? 'Large models' : 'Toy models', toy: !isLarge };
}

let given = 0;

/**
 * A model out of files that a person picked or dropped: one .gguf, or the files of a Hugging Face folder.
 * @throws Error saying what is missing
 */
export function modelOfFiles(files: File[]): ModelChoice {
  const gguf = files.filter(({ name }) => /\.gguf$/i.test(name));
  const group = 'Your files' as const;
  // Not the id of any file of another visit, which kept conversations still name.
  const id = () => formatModelId({ kind: 'opened', id: `${Date.now().toString(36)}-${++given}` });
  if (gguf.length === 1) return { id: id(), label: gguf[0]!.name, group, toy: false, files: gguf };
  if (gguf.length > 1) throw new Error('These are several .gguf files. Choose one of them.');
  const names = new Set(files.map(({ name }) => name));
  if (!names.has('config.json')) {
    throw new Error(
      'That is no model: choose a .gguf file, or a folder with config.json, tokenizer.json and *.safetensors.',
    );
  }
  if (![...names].some((name) => name.endsWith('.safetensors'))) {
    throw new Error('The folder has no .safetensors file, so the weights are missing.');
  }
  // Empty unless a whole folder was picked.
  const [folder] = (files[0]?.webkitRelativePath ?? '').split('/');
  return { id: id(), label: folder || 'A folder of yours', group, toy: false, files };
}
