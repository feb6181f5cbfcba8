/** @file The chat models that are open. Each is opened with the first question to it, and closed when it is no longer chosen. */
import { abortError } from '../../../../base/errors';
import type { ChatModel } from '../../../../runs/chat-model';
import type { ModelChoice } from './models';

export interface OpenProgress {
  phase: 'opening' | 'readingHeader' | 'loading';
  /** Bytes read and to be read; 0 if unknown. */
  done: number;
  total: number;
}

export type OpenChatModel = ChatModel & { close?: () => void };

export type ChatModelOpener = (
  model: ModelChoice,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
) => Promise<OpenChatModel>;

export class OpenModels {
  /** The model that is being opened, and how far that is. */
  opening = $state.raw<{ model: ModelChoice; progress: OpenProgress } | null>(null);
  readonly #openModel: ChatModelOpener;
  // Nothing on the page depends on it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  readonly #models = new Map<string, OpenChatModel>();

  constructor(openModel: ChatModelOpener) {
    this.#openModel = openModel;
  }

  /**
   * The open chat model; opens it if necessary.
   * @throws what the engine throws, or DOMException AbortError
   */
  async get(model: ModelChoice, signal: AbortSignal): Promise<ChatModel> {
    signal.throwIfAborted();
    const known = this.#models.get(keyOf(model));
    if (known) return known;
    const show = (progress: OpenProgress): void => {
      if (!signal.aborted) this.opening = { model, progress };
    };
    // A GGUF lists its whole vocabulary in the header, which takes a second or more to read.
    show({ phase: /\.gguf$/i.test(model.label) ? 'readingHeader' : 'opening', done: 0, total: 0 });
    const opening = this.#openModel(model, show, signal);
    // Not every engine stops at once, and the user shouldn't have to wait for it.
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(abortError()), { once: true });
    });
    try {
      const opened = await Promise.race([opening, aborted]);
      this.#models.set(keyOf(model), opened);
      return opened;
    } catch (error) {
      opening.then((late) => late.close?.()).catch(() => undefined);
      throw error;
    } finally {
      this.opening = null;
    }
  }

  /** Closes all other models, to free their memory. */
  closeAllBut(models: readonly ModelChoice[]): void {
    const kept = models.map(keyOf);
    for (const key of this.#models.keys()) if (!kept.includes(key)) this.#close(key);
  }

  /** Closes a model that failed. The next question opens it again. */
  drop(model: ModelChoice): void {
    this.#close(keyOf(model));
  }

  #close(key: string): void {
    this.#models.get(key)?.close?.();
    this.#models.delete(key);
  }
}

/** Different for the same model with other load options, and for an adapter whose files have changed. */
function keyOf({ id, load }: ModelChoice): string {
  const modified = load?.adapter?.files.map(({ lastModified }) => lastModified) ?? [];
  return `${id} ${JSON.stringify(load ?? {})} ${modified.join()}`;
}
