/** @file Exports saved runs and models to files, and imports them. */
import { urlFiles } from '../../../formats/files/url-files';
import { t } from '../../../i18n';
import { EventsError } from '../../../runs/event-schema';
import { exportEvents, exportModelZip, importFile, type ExportedFile, type ImportedFile } from '../../../runs/exchange';
import { UnreadableError } from '../../../storage/records';
import { hasWorkers, inDisposableWorker } from '../../../worker/disposable';
import type { RunStorage, SavedRun } from '../../../storage/run-storage';

type Source = Pick<RunStorage, 'get' | 'loadCheckpoint' | 'loadModel'>;
type Target = Pick<RunStorage, 'importRun' | 'saveModel'>;

/** The models that come with the app. */
const embeddedModels = (name: string) => urlFiles(new URL(`models/${name}/`, document.baseURI).href);

/**
 * The events of a run as JSON lines. Where some are damaged, the rest of them, or all that is stored if none can be read.
 */
export async function eventsFile(
  storage: Pick<RunStorage, 'events' | 'readableEvents' | 'unreadableRuns'>,
  run: SavedRun,
): Promise<{ file: ExportedFile; damaged: boolean }> {
  try {
    return { file: exportEvents(run.name, await storage.events(run.id)), damaged: false };
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    const readable = await storage.readableEvents(run.id);
    const rest = () => storage.unreadableRuns.export({ ...error.record, name: run.name });
    return { file: readable.length > 0 ? exportEvents(run.name, readable) : await rest(), damaged: true };
  }
}

/**
 * One of a run's checkpoints in a zip: a Hugging Face folder in f32, so that nothing is lost, or a PEFT folder where
 * adapters learned.
 * @throws Error with a message for the user when the checkpoint or the model that the run started from is gone
 */
export async function modelFile(
  storage: Source,
  run: SavedRun,
  step: number,
  embedded = embeddedModels,
): Promise<ExportedFile> {
  const bytes = await storage.loadCheckpoint(run.id, step);
  if (!bytes) throw new Error(t('runs:problem.noCheckpoint', { step }));
  const [{ exportCheckpoint }, { ModelResolver }, { ModelDownloads }] = await Promise.all([
    import('../../../rl/checkpoint'),
    import('../../../engine/library/model-resolver'),
    import('../../../engine/library/downloads'),
  ]);
  const models = new ModelResolver({ embedded, storage, store: new ModelDownloads() });
  const files = exportCheckpoint(await models.open(run.config.model), bytes);
  const kind = files.has('adapter_config.json') ? ' adapter' : '';
  return exportModelZip(`${run.name.slice(0, 60)} step ${step}${kind}`, files);
}

/**
 * Imports a file: a run under its id, or a model under its name.
 * @throws Error with a message for the user
 */
export async function receiveFile(
  storage: Target,
  file: File,
): Promise<{ kind: 'run'; id: string } | { kind: 'model'; name: string }> {
  const imported = await read(file).catch((error: unknown) => {
    throw explain(file.name, error);
  });
  if (imported.kind === 'run') return { kind: 'run', id: (await storage.importRun(imported.events)).id };
  await storage.saveModel(imported.name, imported.files);
  return { kind: 'model', name: imported.name };
}

/** A zip is unpacked, and its model opened, where it can't stop the page. */
async function read(file: File): Promise<ImportedFile> {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isZip = head[0] === 0x50 && head[1] === 0x4b;
  if (isZip && hasWorkers())
    return inDisposableWorker((api) => api.importZip(file.name, file) as Promise<ImportedFile>);
  return importFile(file.name, new Uint8Array(await file.arrayBuffer()));
}

/** Errors of the schema are for developers, so the user gets the line instead. Other errors stay as they are. */
function explain(name: string, error: unknown): unknown {
  const { cause } = (error ?? {}) as { cause?: unknown };
  if (!(cause instanceof EventsError) || /is not readable/.test(cause.message)) return error;
  const line = Number(/\bline (\d+)/i.exec(cause.message)?.[1] ?? 1);
  const message = line > 1 ? t('runs:problem.damaged', { name, line }) : t('runs:problem.notARun', { name });
  return new Error(message, { cause: error });
}
