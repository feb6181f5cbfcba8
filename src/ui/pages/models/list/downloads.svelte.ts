/**
 * @file The downloads of this page, one after another in the order in which they were asked for. They continue while
 * another page is open. After a reload, what was stored by then can be resumed.
 */
import { messageOf } from '../../../../base/errors';
import type { ModelAddress } from '../../../../formats/hub/model-address';
import type { DownloadProgress, ModelFacts, StoredModel } from '../../../../formats/hub/stored-model';
import { t } from '../../../../i18n';
import type { ModelLibrary } from '../../../../worker/protocol';
import type { Activity } from '../../../shell/activity.svelte';

/** `waiting` for the one before it. A failed or paused download stays in the list until it is resumed or cancelled. */
export type DownloadStatus = 'waiting' | 'downloading' | 'paused' | 'failed';

export interface Download {
  /** The model's id in the store. */
  readonly id: string;
  readonly facts: ModelFacts;
  readonly address: ModelAddress;
  /** Bytes of all files. */
  readonly total: number;
  readonly status: DownloadStatus;
  /** The progress of this attempt; null before it is first reported. */
  readonly progress: DownloadProgress | null;
  /** Why it failed, for the user. */
  readonly error: string;
}

type NewDownload = Pick<Download, 'id' | 'facts' | 'address' | 'total'>;

export class Downloads {
  list = $state.raw<readonly Download[]>([]);
  #current: { id: string; abort: AbortController; ended: Promise<void> } | null = null;

  /** @param onStored called with each model that is complete; @param activity informed while something is downloaded */
  constructor(
    private readonly engine: Pick<ModelLibrary, 'downloadModel' | 'removeModel'>,
    private readonly onStored: (model: StoredModel) => void = () => {},
    private readonly activity: Pick<Activity, 'begin'> | null = null,
  ) {}

  find(id: string): Download | undefined {
    return this.list.find((download) => download.id === id);
  }

  /** Puts a model at the end of the queue, or resumes it when it is paused or failed. */
  add(download: NewDownload): void {
    if (this.find(download.id)) return this.resume(download.id);
    this.list = [...this.list, { ...download, status: 'waiting', progress: null, error: '' }];
    this.#next();
  }

  /** Stops a download for now; what is stored by then stays. */
  pause(id: string): void {
    this.#change(id, { status: 'paused' });
    if (this.#current?.id === id) this.#current.abort.abort();
  }

  /** Puts a paused or failed download at the end of the queue. */
  resume(id: string): void {
    const download = this.find(id);
    if (!download || download.status === 'waiting' || download.status === 'downloading') return;
    const others = this.list.filter((other) => other !== download);
    this.list = [...others, { ...download, status: 'waiting', error: '' }];
    this.#next();
  }

  /** Ends a download, if there is one, and deletes what is stored of the model. @throws Error for the user when that fails */
  async cancel(id: string): Promise<void> {
    this.list = this.list.filter((download) => download.id !== id);
    const current = this.#current;
    if (current?.id === id) {
      current.abort.abort();
      await current.ended;
    }
    await this.engine.removeModel(id);
  }

  #change(id: string, change: Partial<Download>): void {
    this.list = this.list.map((download) => (download.id === id ? { ...download, ...change } : download));
  }

  #next(): void {
    const next = this.#current ? undefined : this.list.find(({ status }) => status === 'waiting');
    if (!next) return;
    this.#change(next.id, { status: 'downloading', progress: null });
    const abort = new AbortController();
    const ended = this.#run(next, abort.signal).finally(() => {
      this.#current = null;
      this.#next();
    });
    this.#current = { id: next.id, abort, ended };
  }

  /** Never rejects. */
  async #run({ id, address }: Download, signal: AbortSignal): Promise<void> {
    const end = this.activity?.begin(t('models:page.activity'));
    try {
      const stored = await this.engine.downloadModel(
        address,
        // A report may still arrive after the download was paused.
        (progress) => signal.aborted || this.#change(id, { progress }),
        signal,
      );
      this.list = this.list.filter((download) => download.id !== id);
      this.onStored(stored);
    } catch (error) {
      // Pausing and cancelling are not failures.
      if (!signal.aborted) this.#change(id, { status: 'failed', error: messageOf(error) });
    } finally {
      end?.();
    }
  }
}
