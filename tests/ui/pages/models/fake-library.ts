/** @file A library of models in memory, whose downloads progress, finish and fail when the test says so. */
import { parseDecoderConfig } from '../../../../src/formats/hf/hf-config';
import type { ModelAddress } from '../../../../src/formats/hub/model-address';
import type { DownloadProgress, ModelSummary, StorageUse, StoredModel } from '../../../../src/formats/hub/stored-model';
import { suggestedModels } from '../../../../src/ui/pages/models/add/suggested-models';
import type { ModelLibrary } from '../../../../src/worker/protocol';

const REVISION = '0123456789abcdef0123456789abcdef01234567';
const tiny = parseDecoderConfig({
  model_type: 'qwen2',
  hidden_act: 'silu',
  num_hidden_layers: 2,
  hidden_size: 64,
  intermediate_size: 128,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 256,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-6,
  eos_token_id: 0,
});

export function stored(id: string, change: Partial<StoredModel> = {}): StoredModel {
  return {
    id,
    name: id,
    origin: { kind: 'hub', endpoint: 'https://huggingface.co', repo: `someone/${id}`, revision: REVISION },
    licence: 'apache-2.0',
    architecture: 'Qwen2ForCausalLM',
    parameters: 494_032_768,
    quantisation: 'BF16',
    bytes: 988_000_000,
    storedBytes: 988_000_000,
    complete: true,
    added: Date.now() - 86_400_000 * 3,
    ...change,
  };
}

/** A download that waits for what the test decides. */
export interface Pending {
  id: string;
  signal: AbortSignal | undefined;
  progress(bytes: number, change?: Partial<DownloadProgress>): void;
  finish(): void;
  fail(message: string): void;
}

export class FakeLibrary implements ModelLibrary {
  models: StoredModel[] = [];
  use: StorageUse = { usage: 1.2e9, quota: 60e9, persisted: false };
  /** Every download so far, the one at work last. */
  readonly started: Pending[] = [];
  readonly removed: string[] = [];
  /** Changes what a check answers; an Error is thrown. */
  answer: Partial<ModelSummary> | Error = {};

  inspectModel(address: ModelAddress): Promise<ModelSummary> {
    if (this.answer instanceof Error) return Promise.reject(this.answer);
    const repo = address.kind === 'hub' ? address.repo : 'mine/mine';
    const known = suggestedModels.find((model) => model.repo === repo);
    const name = repo.split('/')[1]!;
    const here = this.models.find(({ id }) => id === name);
    return Promise.resolve({
      ...stored(name, { bytes: known?.bytes ?? 1_000_000, parameters: known?.parameters ?? 500_000 }),
      ...(address.kind === 'files' && { origin: { kind: 'file', name: address.files[0]!.name } }),
      config: known?.config ?? tiny,
      files: [{ path: address.kind === 'hub' && address.file ? address.file : 'model.safetensors', bytes: 1_000_000 }],
      storedBytes: here?.storedBytes ?? 0,
      complete: here?.complete ?? false,
      choices: [],
      notices: [],
      ...this.answer,
    });
  }

  storedModels(): Promise<StoredModel[]> {
    return Promise.resolve([...this.models]);
  }

  downloadModel(
    address: ModelAddress,
    onProgress: (progress: DownloadProgress) => void = () => {},
    signal?: AbortSignal,
  ): Promise<StoredModel> {
    const id = address.kind === 'stored' ? address.id : address.kind === 'hub' ? address.repo.split('/')[1]! : 'mine';
    return new Promise((resolve, reject) => {
      const before = this.models.find((model) => model.id === id) ?? stored(id, { storedBytes: 0, complete: false });
      const keep = (change: Partial<StoredModel>): StoredModel => {
        const model = { ...before, ...change };
        this.models = [...this.models.filter((other) => other.id !== id), model];
        return model;
      };
      signal?.addEventListener('abort', () => reject(new DOMException('Cancelled', 'AbortError')));
      this.started.push({
        id,
        signal,
        progress: (bytes, change) => {
          if (signal?.aborted) return;
          keep({ storedBytes: bytes });
          onProgress({
            id,
            phase: 'downloading',
            file: 'model.safetensors',
            bytes,
            total: before.bytes,
            bytesPerSecond: 23e6,
            secondsLeft: (before.bytes - bytes) / 23e6,
            ...change,
          });
        },
        finish: () => resolve(keep({ storedBytes: before.bytes, complete: true })),
        fail: (message) => reject(new Error(message)),
      });
    });
  }

  cancelDownload(): Promise<void> {
    return Promise.resolve();
  }

  removeModel(id: string): Promise<void> {
    this.removed.push(id);
    this.models = this.models.filter((model) => model.id !== id);
    return Promise.resolve();
  }

  storageUse(): Promise<StorageUse> {
    return Promise.resolve(this.use);
  }
}
