/** @file A model that someone wants to add: looked at first, so that its size and needs are known before it is taken. */
import { messageOf } from '../../../base/errors';
import type { ModelAddress } from '../../../formats/hub/model-address';
import type { ModelSummary } from '../../../formats/hub/stored-model';
import type { ModelLibrary } from '../../../worker/protocol';

export type OfferStatus = 'none' | 'looking' | 'found' | 'failed';

export class Offer {
  status = $state<OfferStatus>('none');
  /** As it was asked for, for the heading while nothing more is known. */
  wanted = $state('');
  address = $state.raw<ModelAddress | null>(null);
  summary = $state.raw<ModelSummary | null>(null);
  /** Whether another of its files is being looked at. */
  switching = $state(false);
  /** Why it can't be had, for the reader. */
  error = $state('');
  #abort: AbortController | null = null;

  constructor(private readonly engine: Pick<ModelLibrary, 'inspectModel'>) {}

  /** Looks at a model; one that is being looked at is forgotten. Never rejects. */
  async look(address: ModelAddress, wanted: string): Promise<void> {
    this.status = 'looking';
    this.switching = false;
    this.wanted = wanted;
    this.summary = null;
    await this.#inspect(address);
  }

  /** Another of the repository's .gguf files; what is known stays in sight meanwhile. Never rejects. */
  async choose(file: string): Promise<void> {
    if (this.address?.kind !== 'hub') return;
    this.switching = true;
    await this.#inspect({ ...this.address, file });
  }

  close(): void {
    this.#abort?.abort();
    this.status = 'none';
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

/** Whether a model can be stored, with the numbers; `free` is null where the browser doesn't tell. */
export function storageVerdict(
  { bytes, storedBytes }: Pick<ModelSummary, 'bytes' | 'storedBytes'>,
  free: number | null,
): { fits: boolean; missing: number } {
  const missing = Math.max(0, bytes - storedBytes - (free ?? Infinity));
  return { fits: missing === 0, missing };
}
