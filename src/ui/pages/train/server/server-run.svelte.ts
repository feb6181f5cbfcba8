/** @file What a run on a server offers besides its events: its checkpoints, as files or as models of this page, and its log. */
import { configForModel, configToParams, defaultRunConfig } from '../../../../runs/config';
import { formatModelId } from '../../../../runs/model-id';
import { isAbortError, messageOf } from '../../../../base/errors';
import { mapFiles } from '../../../../formats/files/memory-files';
import { t } from '../../../../i18n';
import type { ExportedFile } from '../../../../runs/exchange';
import type { SidecarCheckpoint } from '../../../../servers/training/sidecar-schema';
import type { RunStorage } from '../../../../storage/run-storage';
import type { RemoteRun } from '../run/run-source';

/** Bytes. On their way into this page's engine, files are held in memory several times over. */
const MAX_BYTES = 2 ** 29;

export const bytesOf = ({ files }: SidecarCheckpoint): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** Whether the checkpoint is a PEFT folder: a LoRA adapter, which is opened on its base model. */
export const isAdapter = ({ files }: Pick<SidecarCheckpoint, 'files'>): boolean =>
  files.some(({ name }) => name === 'adapter_config.json');

/**
 * The parameters of a run on this device that starts from an opened checkpoint. On an adapter another adapter learns, with
 * the settings of a downloaded model, because its base is mostly one.
 */
export function runHereParams(model: string, checkpoint: Pick<SidecarCheckpoint, 'files'>): URLSearchParams {
  if (!isAdapter(checkpoint)) return configToParams({ ...defaultRunConfig, model });
  const adapted = configForModel(defaultRunConfig, formatModelId({ kind: 'downloaded', id: 'base' }));
  const { task, difficulty } = defaultRunConfig;
  return configToParams({ ...adapted, model, task, difficulty });
}

export interface ServerRunParts {
  storage: Pick<RunStorage, 'saveModel' | 'modelNames'>;
  /** What the run learns, for the names of its models. */
  title: string;
}

export class ServerRun {
  /** Newest first. */
  checkpoints = $state.raw<readonly SidecarCheckpoint[]>([]);
  /** What is going on, for the user; empty when nothing is. */
  busy = $state('');
  /** Of the download that is going on: 0 to 1. */
  progress = $state(0);
  problem = $state('');
  log = $state.raw<string | null>(null);
  /** The ids of the models that were opened from checkpoints, by step. */
  opened = $state.raw<Readonly<Record<number, string>>>({});
  #abort = new AbortController();

  constructor(
    readonly remote: RemoteRun,
    private readonly parts: ServerRunParts,
  ) {}

  /** Reads which checkpoints there are, and which of them have been opened here. */
  async load(): Promise<void> {
    const { sidecar, id } = this.remote;
    try {
      this.checkpoints = (await sidecar.checkpoints(id, this.#abort.signal)).toReversed();
      const names = await this.parts.storage.modelNames().catch((): string[] => []);
      const opened = this.checkpoints.flatMap(({ step }) => {
        const name = this.#modelName(step);
        return names.includes(name) ? [[step, formatModelId({ kind: 'imported', name })] as const] : [];
      });
      this.opened = Object.fromEntries(opened);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Asks for a checkpoint after the current step. The run's events say when it has been saved. */
  saveCheckpoint(): Promise<void> {
    return this.#during(t('servers:run.savingCheckpoint'), async () => {
      await this.remote.sidecar.command(this.remote.id, 'checkpoint');
    });
  }

  /** Downloads the checkpoint's folder as a zip. */
  download(checkpoint: SidecarCheckpoint, give: (file: ExportedFile) => void): Promise<void> {
    return this.#during(t('servers:run.downloading', { step: checkpoint.step }), async () => {
      const files = await this.#files(checkpoint);
      // Loaded when needed: the code for tokenizers and zips is large.
      const { exportModelZip } = await import('../../../../runs/exchange');
      give(exportModelZip(this.#modelName(checkpoint.step), files));
    });
  }

  /** Stores the checkpoint as a model of this device. */
  open(checkpoint: SidecarCheckpoint): Promise<void> {
    const { step } = checkpoint;
    return this.#during(t('servers:run.opening', { step }), async () => {
      if (bytesOf(checkpoint) > MAX_BYTES) throw new Error(t('servers:run.tooLarge'));
      const name = this.#modelName(step);
      const files = await this.#files(checkpoint);
      // A model that the engine can't run is refused now rather than when it is used. An adapter's base may come later.
      if (isAdapter(checkpoint)) {
        const { baseOfAdapter } = await import('../../../../formats/hf/peft');
        await baseOfAdapter(mapFiles(name, files));
      } else {
        const { openModel } = await import('../../../../formats/open-model');
        await openModel(mapFiles(name, files));
      }
      await this.parts.storage.saveModel(name, files);
      this.opened = { ...this.opened, [step]: formatModelId({ kind: 'imported', name }) };
    });
  }

  /** Reads the end of what the run's process printed. */
  readLog(): Promise<void> {
    return this.#during(t('servers:run.readingLog'), async () => {
      this.log = await this.remote.sidecar.logs(this.remote.id, this.#abort.signal);
    });
  }

  /** Cancels what is going on. */
  cancel(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  #files(checkpoint: SidecarCheckpoint): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const { sidecar, id } = this.remote;
    const onProgress = (done: number, all: number) => (this.progress = done / Math.max(1, all));
    return sidecar.download(id, checkpoint, this.#abort.signal, onProgress);
  }

  /** A name of characters that a config accepts, which is different for each run and step. */
  #modelName(step: number): string {
    const title = this.parts.title
      .normalize('NFKD')
      .replace(/[^\w. -]+/g, ' ')
      .replace(/ +/g, ' ')
      .trim()
      .slice(0, 60);
    return `${title} ${this.remote.id.slice(0, 6)} step ${step}`;
  }

  async #during(what: string, work: () => Promise<void>): Promise<void> {
    if (this.busy) return;
    this.busy = what;
    this.progress = 0;
    this.problem = '';
    try {
      await work();
    } catch (error) {
      this.#fail(error);
    }
    this.busy = '';
  }

  #fail(error: unknown): void {
    if (isAbortError(error)) return;
    this.problem = messageOf(error);
  }
}
