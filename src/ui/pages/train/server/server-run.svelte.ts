/** @file What can be had of a run on a server: its checkpoints, as files or as models of this page, and its log. */
import { formatModelId } from '../../../../runs/model-id';
import { isAbortError, messageOf } from '../../../../base/errors';
import { mapFiles } from '../../../../formats/files/memory-files';
import type { SidecarCheckpoint } from '../../../../servers/training/sidecar-schema';
import type { ExportedFile } from '../../../../runs/exchange';
import type { RunStorage } from '../../../../storage/run-storage';
import type { RemoteRun } from '../run/run-source';

/** Larger ones are held in memory several times over on their way into this page's engine. */
const MOST_BYTES = 2 ** 29;

export const bytesOf = ({ files }: SidecarCheckpoint): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** A PEFT folder: no model by itself. */
export const isAdapter = ({ files }: SidecarCheckpoint): boolean =>
  files.some(({ name }) => name === 'adapter_config.json');

export class ServerRun {
  checkpoints = $state.raw<readonly SidecarCheckpoint[]>([]);
  /** What goes on, in words; empty if nothing does. */
  busy = $state('');
  /** Of the download that goes on: 0 to 1. */
  progress = $state(0);
  problem = $state('');
  log = $state.raw<string | null>(null);
  /** Checkpoints that were opened here: the model's name by step. */
  opened = $state.raw<Readonly<Record<number, string>>>({});
  #abort = new AbortController();

  constructor(
    readonly where: RemoteRun,
    /** What it learns, for the names of its models. */
    private readonly name: string,
    private readonly storage: Pick<RunStorage, 'saveModel' | 'modelNames'>,
  ) {}

  async load(): Promise<void> {
    const { sidecar, id } = this.where;
    try {
      // The newest first.
      this.checkpoints = (await sidecar.checkpoints(id, this.#abort.signal)).toReversed();
      const names = await this.storage.modelNames().catch((): string[] => []);
      const here = this.checkpoints.flatMap(({ step }) => {
        const model = this.#modelName(step);
        return names.includes(model) ? [[step, formatModelId({ kind: 'imported', name: model })] as const] : [];
      });
      this.opened = Object.fromEntries(here);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Asks for a checkpoint after the step under way; the run says when it is there. */
  take(): Promise<void> {
    return this.#during('Asking for a checkpoint …', async () => {
      await this.where.sidecar.command(this.where.id, 'checkpoint');
    });
  }

  /** The checkpoint's folder as a zip. */
  save(checkpoint: SidecarCheckpoint, give: (file: ExportedFile) => void): Promise<void> {
    return this.#during(`Downloading step ${checkpoint.step} …`, async () => {
      const files = await this.#download(checkpoint);
      // Tokenizers and zips are large: they come with the first checkpoint, not with the page.
      const { exportModelZip } = await import('../../../../runs/exchange');
      give(exportModelZip(this.#modelName(checkpoint.step), files));
    });
  }

  /** Keeps the checkpoint as a model of this page. */
  open(checkpoint: SidecarCheckpoint): Promise<void> {
    return this.#during(`Opening step ${checkpoint.step} here …`, async () => {
      const { step } = checkpoint;
      if (bytesOf(checkpoint) > MOST_BYTES) {
        throw new Error(
          'This checkpoint is too large for the engine of this page to train. Download it, or copy it from the server.',
        );
      }
      const name = this.#modelName(step);
      const files = await this.#download(checkpoint);
      // Whatever can't be computed here is refused now, and not when somebody asks it.
      const { openModel } = await import('../../../../formats/open-model');
      if (!isAdapter(checkpoint)) await openModel(mapFiles(name, files));
      await this.storage.saveModel(name, files);
      this.opened = { ...this.opened, [step]: formatModelId({ kind: 'imported', name }) };
    });
  }

  /** The end of what the process printed. */
  readLog(): Promise<void> {
    return this.#during('Reading the log …', async () => {
      this.log = await this.where.sidecar.logs(this.where.id, this.#abort.signal);
    });
  }

  /** Gives up what goes on. */
  cancel(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  #download(checkpoint: SidecarCheckpoint): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const { sidecar, id } = this.where;
    return sidecar.download(
      id,
      checkpoint,
      this.#abort.signal,
      (done, all) => (this.progress = done / Math.max(1, all)),
    );
  }

  /** A name that a config takes, told apart by run and step. */
  #modelName(step: number): string {
    const plain = this.name
      .normalize('NFKD')
      .replace(/[^\w. -]+/g, ' ')
      .replace(/ +/g, ' ')
      .trim()
      .slice(0, 60);
    return `${plain} ${this.where.id.slice(0, 6)} step ${step}`;
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
