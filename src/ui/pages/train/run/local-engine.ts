/** @file The engine of this device as the Train page uses it. No other file of the page calls the engine. */
import { formatModelId } from '../../../../runs/model-id';
import type { ModelTraits } from '../../../../runs/model-capabilities';
import { t } from '../../../../i18n';
import type { ProbeResult } from '../../../../engine/probe';
import type { OpenChatModel } from '../../../../runs/chat-model';
import type { RunConfig } from '../../../../runs/events';
import type { RunStatus, Trainer } from '../../../../runs/trainer';
import { engine } from '../../../../worker/client';

export class LocalEngine {
  #trainer: Trainer | null = null;
  #probe: Promise<ProbeResult> | null = null;

  /**
   * @param onWarning receives problems that don't stop the run
   * @param onProgress receives the progress of loading a model, in words
   */
  constructor(
    private readonly onWarning: (message: string) => void,
    private readonly onProgress: (text: string) => void,
  ) {}

  /** The GPU, or why there is none. Asked only once, unless it fails. */
  probe(): Promise<ProbeResult> {
    this.#probe ??= engine()
      .probe()
      .catch((error: unknown) => {
        this.#probe = null;
        throw error;
      });
    return this.#probe;
  }

  createTrainer(): Trainer {
    const trainer = engine().createTrainer();
    this.#trainer = trainer;
    return {
      ...trainer,
      start: (config, observer, resume) =>
        trainer.start(
          config,
          {
            ...observer,
            status: (status) => this.onProgress(describeStatus(status)),
            warning: this.onWarning,
          },
          resume,
        ),
    };
  }

  /** Bytes of GPU memory that a run needs, by what they are for. @throws Error with a message for the user */
  planRun(config: RunConfig): Promise<Record<string, number>> {
    return engine().planRun(config);
  }

  /** What a run can expect of a model. @throws Error with a message for the user when it can't be opened */
  describeModel(name: string): Promise<ModelTraits> {
    return engine().describeModel({ name });
  }

  openModel(name: string): Promise<OpenChatModel> {
    return engine().openChatModel(name);
  }

  /** The model of the latest run, as it was at its start or as it is now; null before the first run. */
  openRunModel(weights: 'start' | 'current'): Promise<OpenChatModel> | null {
    return this.#trainer?.openChatModel?.(weights) ?? null;
  }

  /** Config names of the models on this device that were downloaded completely. */
  async downloadedModels(): Promise<string[]> {
    const stored = await engine().storedModels();
    return stored.filter(({ complete }) => complete).map(({ id }) => formatModelId({ kind: 'downloaded', id }));
  }
}

/** What happens before the first step, in a few words. */
function describeStatus(status: RunStatus): string {
  if (status.kind === 'sft') {
    const { update, updates: total } = status;
    return update < total ? t('train:preparing.coldStart', { update, total }) : t('train:preparing.testing');
  }
  if (status.kind !== 'loading') return '';
  const { bytes, total } = status;
  const megabytes = (count: number) => Math.ceil(count / 1e6);
  return bytes < total
    ? t('train:preparing.weights', { loaded: megabytes(bytes), total: megabytes(total) })
    : t('train:preparing.model');
}
