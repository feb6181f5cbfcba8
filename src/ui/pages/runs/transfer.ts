/** @file Exports saved runs and models to files, and imports them. */
import { formatModelId } from '../../../runs/model-id';
import { urlSource } from '../../../formats/files/file-source';
import { writeModelFolder } from '../../../formats/hf/model-folder';
import { t } from '../../../i18n';
import { EventsError } from '../../../runs/event-schema';
import { exportEvents, exportModelZip, importFile, type ExportedFile } from '../../../runs/exchange';
import { adapterOfCheckpoint } from '../../../rl/lora-checkpoint';
import { hasAdapters } from '../../../runs/model-capabilities';
import { loadNamedModel } from '../../../engine/models';
import type { RunStorage, SavedRun } from '../../../storage/run-storage';

type Source = Pick<RunStorage, 'events' | 'get' | 'loadCheckpoint' | 'loadModel'>;
type Target = Pick<RunStorage, 'importRun' | 'saveModel'>;

/** The models that come with the app. */
const embeddedModels = (name: string) => urlSource(new URL(`models/${name}/`, document.baseURI).href);

/** The events of a run as JSON lines. */
export async function eventsFile(storage: Source, run: SavedRun): Promise<ExportedFile> {
  return exportEvents(run.name, await storage.events(run.id));
}

/**
 * The weights of a run's checkpoint as a Hugging Face folder in a zip, or its adapter as a PEFT folder, in f32 so that nothing
 * is lost.
 * @throws Error with a message for the user
 */
export async function modelFile(
  storage: Source,
  run: SavedRun,
  step: number,
  embedded = embeddedModels,
): Promise<ExportedFile> {
  if (hasAdapters(run.config)) {
    const bytes = await storage.loadCheckpoint(run.id, step);
    if (!bytes) throw new Error(t('runs:problem.noCheckpoint', { step }));
    return exportModelZip(`${run.name.slice(0, 60)} step ${step} adapter`, adapterOfCheckpoint(bytes));
  }
  const folder = await loadNamedModel(formatModelId({ kind: 'checkpoint', run: run.id, step }), { storage, embedded });
  const tensors = [...folder.tensors].map(([name, tensor]) => ({ name, ...tensor }));
  return exportModelZip(`${run.name} step ${step}`, writeModelFolder(folder, tensors, 'F32'));
}

/**
 * Imports a file: a run under its id, or a model under its name.
 * @throws Error with a message for the user
 */
export async function receiveFile(
  storage: Target,
  file: File,
): Promise<{ kind: 'run'; id: string } | { kind: 'model'; name: string }> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const imported = await importFile(file.name, bytes).catch((error: unknown) => {
    throw explain(file.name, error);
  });
  if (imported.kind === 'run') return { kind: 'run', id: (await storage.importRun(imported.events)).id };
  await storage.saveModel(imported.name, imported.files);
  return { kind: 'model', name: imported.name };
}

/** Errors of the schema are for developers, so the user gets the line instead. Other errors stay as they are. */
function explain(name: string, error: unknown): unknown {
  const { cause } = (error ?? {}) as { cause?: unknown };
  if (!(cause instanceof EventsError) || /is not readable/.test(cause.message)) return error;
  const line = Number(/\bline (\d+)/i.exec(cause.message)?.[1] ?? 1);
  const message = line > 1 ? t('runs:problem.damaged', { name, line }) : t('runs:problem.notARun', { name });
  return new Error(message, { cause: error });
}
