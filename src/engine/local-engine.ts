/** @file The engine on devices of its own: each model and each run gets one, and gives it back when it fails to open. */
import type { Model } from '../formats/model';
import type { Gpu } from '../gpu/gpu';
import type { RunConfig } from '../rl/config';
import type { SftExample } from '../rl/sft/sft-examples';
import type { OpenChatModel } from '../runs/chat-model';
import type { RunStatus } from '../runs/trainer';
import { openChatModel, openTraining, planTraining, type OpenChatOptions, type TrainingOptions } from './open';
import type { TrainingSession } from './training/session';

export interface LocalEngineParts {
  /** Opens a device. @throws GpuUnavailableError */
  gpu(): Promise<Gpu>;
  /** The data set of that name, for a supervised start. @throws Error with a message for the user when there is none */
  examples(dataset: string): Promise<readonly SftExample[]>;
  training?: TrainingOptions;
}

export class LocalEngine {
  constructor(private readonly parts: LocalEngineParts) {}

  openChatModel(model: Model, options?: OpenChatOptions): Promise<OpenChatModel> {
    return this.withDevice((gpu) => openChatModel(gpu, model, options));
  }

  async openTraining(
    model: Model,
    config: RunConfig,
    tell: { warning(message: string): void; status(status: RunStatus): void },
  ): Promise<TrainingSession> {
    const { cold_start_dataset: dataset } = config;
    const options: TrainingOptions = {
      ...this.parts.training,
      ...(dataset !== null && { examples: await this.parts.examples(dataset) }),
      onNotice: tell.warning,
      onLoading: (progress) => tell.status({ kind: 'loading', ...progress }),
      onSftProgress: (progress) => tell.status({ kind: 'sft', ...progress }),
    };
    return this.withDevice((gpu) => openTraining(gpu, model, config, options));
  }

  /** Bytes of GPU memory by what they are for. */
  async planRun(model: Model, config: RunConfig): Promise<Record<string, number>> {
    const gpu = await this.parts.gpu();
    try {
      return (await planTraining(gpu, model, config, this.parts.training)).bytes;
    } finally {
      gpu.destroy();
    }
  }

  private async withDevice<T>(make: (gpu: Gpu) => Promise<T>): Promise<T> {
    const gpu = await this.parts.gpu();
    try {
      return await make(gpu);
    } catch (error) {
      gpu.destroy();
      throw error;
    }
  }
}
