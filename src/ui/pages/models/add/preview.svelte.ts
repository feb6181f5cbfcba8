/** @file A model that someone wants to add, checked first, so that its size and needs are known before the download. */
import { messageOf } from '../../../../base/errors';
import type { ModelAddress } from '../../../../formats/hub/model-address';
import type { ModelSummary } from '../../../../formats/hub/stored-model';
import type { ModelLibrary } from '../../../../worker/protocol';

export type PreviewStatus = 'closed' | 'checking' | 'found' | 'failed';

export class ModelPreview {
  status = $state<PreviewStatus>('closed');
  /** What was asked for, as a heading until more is known. */
  asked = $state('');
  address = $state.raw<ModelAddress | null>(null);
  summary = $state.raw<ModelSummary | null>(null);
  /** Whether another file of the same repository is being checked. */
  switching = $state(false);
  /** Why the model can't be used, for the user. */
  error = $state('');
  #abort: AbortController | null = null;

  constructor(private readonly engine: Pick<ModelLibrary, 'inspectModel'>) {}

  /** Checks a model, in place of any other that is being checked. Never rejects. */
  async check(address: ModelAddress, asked: string): Promise<void> {
    this.status = 'checking';
    this.switching = false;
    this.asked = asked;
    this.summary = null;
    await this.#inspect(address);
  }

  /** Checks another .gguf of the repository, while the present one stays in view. Never rejects. */
  async choose(file: string): Promise<void> {
    if (this.address?.kind !== 'hub') return;
    this.switching = true;
    await this.#inspect({ ...this.address, file });
  }

  close(): void {
    this.#abort?.abort();
    this.status = 'closed';
  }

  async #inspect(address: ModelAddress): Promise<void> {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.address = address;
    this.error = '';
    try {
      const summary = await this.engine.inspectModel(address, abort.signal);
      if (abort.signal.aborted) return;
      this.summary = summary;
      this.status = 'found';
    } catch (error) {
      if (abort.signal.aborted) return;
      this.error = messageOf(error);
      this.status = 'failed';
    }
    this.switching = false;
  }
}

/** Whether a model can be stored, and how many bytes are missing. `free` is null where the browser doesn't say. */
export function storageVerdict(
  { bytes, storedBytes }: Pick<ModelSummary, 'bytes' | 'storedBytes'>,
  free: number | null,
): { fits: boolean; missing: number } {
  const missing = Math.max(0, bytes - storedBytes - (free ?? Infinity));
  return { fits: missing === 0, missing };
}
