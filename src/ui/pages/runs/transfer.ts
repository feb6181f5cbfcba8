/** @file Saved runs and models out to files and back in from them. */
import { formatModelId } from '../../../runs/model-id';
import { urlSource } from '../../../formats/files/file-source';
import { writeModelFolder } from '../../../formats/hf/model-folder';
import { exportEvents, exportModelZip, importFile, type ExportedFile } from '../../../runs/exchange';
import { adapterOfCheckpoint } from '../../../rl/lora-checkpoint';
import { hasAdapters } from '../../../runs/model-capabilities';
import { loadNamedModel } from '../../../engine/models';
import type { RunStorage, SavedRun } from '../../../storage/run-storage';

type Source = Pick<RunStorage, 'events' | 'get' | 'loadCheckpoint' | 'loadModel'>;
type Target = Pick<RunStorage, 'importRun' | 'saveModel'>;

/** The models that come with the page, beside it. */
const embeddedModels = (name: string) => urlSource(new URL(`models/${name}/`, document.baseURI).href);

/** A run's events as JSON lines. */
export async function eventsFile(storage: Source, run: SavedRun): Promise<ExportedFile> {
  return exportEvents(run.name, await storage.events(run.id));
}

/**
 * The weights of one of a run's checkpoints as a Hugging Face folder in a zip, or its adapter as a PEFT folder; f32, so that
 * nothing is lost.
 */
export async function modelFile(
  storage: Source,
  run: SavedRun,
  step: number,
  embedded = embeddedModels,
): Promise<ExportedFile> {
  if (hasAdapters(run.config)) {
    const bytes = await storage.loadCheckpoint(run.id, step);
    if (!bytes) throw new Error(`The run has no checkpoint of step ${step} any more.`);
    return exportModelZip(`${run.name.slice(0, 60)} step ${step} adapter`, adapterOfCheckpoint(bytes));
  }
  const folder = await loadNamedModel(formatModelId({ kind: 'checkpoint', run: run.id, step }), { storage, embedded });
  const tensors = [...folder.tensors].map(([name, tensor]) => ({ name, ...tensor }));
  return exportModelZip(`${run.name} step ${step}`, writeModelFolder(folder, tensors, 'F32'));
}

/** Reads and keeps what a person gave: a run under its id, or a model under its name. */
export async function receiveFile(
  storage: Target,
  file: File,
): Promise<{ kind: 'run'; id: string } | { kind: 'model'; name: string }> {
  const imported = await importFile(file.name, new Uint8Array(await file.arrayBuffer()));
  if (imported.kind === 'run') return { kind: 'run', id: (await storage.importRun(imported.events)).id };
  await storage.saveModel(imported.name, imported.files);
  return { kind: 'model', name: imported.name };
}
