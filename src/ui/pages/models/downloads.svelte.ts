/**
 * @file The downloads of this page, one after another in the order in which they were asked for. They go on while their
 * reader looks at another page. After a reload, what had been stored by then is in the store, and can be gone on with.
 */
import { messageOf } from '../../../base/errors';
import type { ModelAddress } from '../../../formats/hub/model-address';
import type { DownloadProgress, ModelFacts, StoredModel } from '../../../formats/hub/stored-model';
import type { ModelLibrary } from '../../../worker/protocol';
import type { Activity } from '../../shell/activity.svelte';

/** `waiting` for the one before it. What failed or was paused stays in the list until it is resumed or cancelled. */
export type DownloadStatus = 'waiting' | 'going' | 'paused' | 'failed';

export interface Download {
  /** The model's in the store. */
  readonly id: string;
  readonly facts: ModelFacts;
  readonly address: ModelAddress;
  /** Bytes of all files. */
  readonly total: number;
  readonly status: DownloadStatus;
  /** Of this attempt; null before its first news. */
  readonly progress: DownloadProgress | null;
  /** Why it failed, for the reader. */
  readonly error: string;
}

type Wanted = Pick<Download, 'id' | 'facts' | 'address' | 'total'>;

export class Downloads {
  list = $state.raw<readonly Download[]>([]);
  /** The one at work. */
  #going: { id: string; abort: AbortController; ended: Promise<void> } | null = null;

  /** @param onStored told of each model that is complete; @param activity told while something is downloaded */
  constructor(
    private readonly engine: Pick<ModelLibrary, 'downloadModel' | 'removeModel'>,
    private readonly onStored: (model: StoredModel) => void = () => {},
    private readonly activity: Pick<Activity, 'begin'> | null = null,
  ) {}

  find(id: string): Download | undefined {
    return this.list.find((download) => download.id === id);
  }

  /** Puts a model at the end of the queue; one that is paused or failed goes on. */
  add(wanted: Wanted): void {
    if (this.find(wanted.id)) return this.resume(wanted.id);
    this.list = [...this.list, { ...wanted, status: 'waiting', progress: null, error: '' }];
    this.#next();
  }

  /** Stops a download for now; what is stored by then stays. */
  pause(id: string): void {
    this.#change(id, { status: 'paused' });
    if (this.#going?.id === id) this.#going.abort.abort();
  }

  /** Goes on with what was paused or has failed, after those that wait. */
  resume(id: string): void {
    const download = this.find(id);
    if (!download || download.status === 'waiting' || download.status === 'going') return;
    const others = this.list.filter((other) => other !== download);
    this.list = [...others, { ...download, status: 'waiting', error: '' }];
    this.#next();
  }

  /** Gives a download up, if there is one, and removes what is stored of the model. @throws Error for the reader when that fails */
  async cancel(id: string): Promise<void> {
    this.list = this.list.filter((download) => download.id !== id);
    const going = this.#going;
    if (going?.id === id) {
      going.abort.abort();
      await going.ended;
    }
    await this.engine.removeModel(id);
  }

  #change(id: string, change: Partial<Download>): void {
    this.list = this.list.map((download) => (download.id === id ? { ...download, ...change } : download));
  }

  #next(): void {
    const next = this.#going ? undefined : this.list.find(({ status }) => status === 'waiting');
    if (!next) return;
    this.#change(next.id, { status: 'going', progress: null });
    const abort = new AbortController();
    const ended = this.#run(next, abort.signal).finally(() => {
      this.#going = null;
      this.#next();
    });
    this.#going = { id: next.id, abort, ended };
  }

  /** Never rejects. */
  async #run({ id, address }: Download, signal: AbortSignal): Promise<void> {
    const end = this.activity?.begin('a download, which can be gone on with');
    try {
      const stored = await this.engine.downloadModel(
        address,
        // What is under way when a download is paused may still come.
        (progress) => signal.aborted || this.#change(id, { progress }),
        signal,
      );
      this.list = this.list.filter((download) => download.id !== id);
      this.onStored(stored);
    } catch (error) {
      // Paused or given up: nothing has gone wrong.
      if (!signal.aborted) this.#change(id, { status: 'failed', error: messageOf(error) });
    } finally {
      end?.();
    }
  }
}
