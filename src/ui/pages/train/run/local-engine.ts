/** @file The engine of this device as the Train page uses it. No other file of the page calls the engine. */
import { formatModelId } from '../../../../runs/model-id';
import { t } from '../../../../i18n';
import type { PrepareProgress } from '../../../../engine/load-options';
import type { ProbeResult } from '../../../../engine/probe';
import type { Trainer } from '../../../../runs/trainer';
import { engine, type LocalEngineTrainer, type OpenChatModel } from '../../../../worker/client';

export class LocalEngine {
  #trainer: LocalEngineTrainer | null = null;
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
    this.#trainer = engine().createTrainer(this.onWarning, (progress) => this.onProgress(describeProgress(progress)));
    return this.#trainer;
  }

  openModel(name: string): Promise<OpenChatModel> {
    return engine().openChatModel(name);
  }

  /** The model with the current weights of the latest run; null before the first run. */
  openCurrentModel(): Promise<OpenChatModel> | null {
    return this.#trainer?.currentChatModel() ?? null;
  }

  /** Config names of the models on this device that were downloaded completely. */
  async downloadedModels(): Promise<string[]> {
    const stored = await engine().storedModels();
    return stored.filter(({ complete }) => complete).map(({ id }) => formatModelId({ kind: 'downloaded', id }));
  }
}

/** What happens before the first step, in a few words. */
function describeProgress(progress: PrepareProgress): string {
  if ('update' in progress) {
    const { update, updates: total } = progress;
    return update < total ? t('train:preparing.coldStart', { update, total }) : t('train:preparing.testing');
  }
  const { bytes, total } = progress;
  const megabytes = (count: number) => Math.ceil(count / 1e6);
  return bytes < total
    ? t('train:preparing.weights', { loaded: megabytes(bytes), total: megabytes(total) })
    : t('train:preparing.model');
}
