/** @file The models that are open to talk to: at most the ones that are chosen, opened when they are first asked. */
import { abortError } from '../../../../base/errors';
import type { ChatModel } from '../../../../runs/chat-model';
import type { ModelChoice } from './models';

export interface OpenProgress {
  /** What is being done, as the beginning of a sentence: "Reading weights". */
  phase: string;
  /** Bytes done and to do; 0 where that isn't known. */
  done: number;
  total: number;
}

export type OpenChatModel = ChatModel & { close?: () => void };

export type HostedChatModel = (
  model: ModelChoice,
  onProgress: (progress: OpenProgress) => void,
  signal: AbortSignal,
) => Promise<OpenChatModel>;

export class OpenModels {
  /** The model that is being opened, and how far it is. */
  opening = $state.raw<{ model: ModelChoice; progress: OpenProgress } | null>(null);
  readonly #open: HostedChatModel;
  // Nothing on the page depends on it.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  readonly #policies = new Map<string, OpenChatModel>();

  constructor(open: HostedChatModel) {
    this.#open = open;
  }

  /**
   * A policy for the model; opened now if it isn't.
   * @throws what the engine says, or DOMException AbortError
   */
  async get(model: ModelChoice, signal: AbortSignal): Promise<ChatModel> {
    signal.throwIfAborted();
    const known = this.#policies.get(keyOf(model));
    if (known) return known;
    const show = (progress: OpenProgress): void => {
      if (!signal.aborted) this.opening = { model, progress };
    };
    // The tokens of a large vocabulary lie in a GGUF's header one by one: that takes a second or more.
    const phase = /\.gguf$/i.test(model.label) ? 'Reading the header of' : 'Opening';
    show({ phase, done: 0, total: 0 });
    // Not every engine gives up at once; the reader doesn't wait for it.
    const policy = this.#open(model, show, signal);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(abortError()), { once: true });
    });
    try {
      const opened = await Promise.race([policy, aborted]);
      this.#policies.set(keyOf(model), opened);
      return opened;
    } catch (error) {
      policy.then((late) => late.close?.()).catch(() => undefined);
      throw error;
    } finally {
      this.opening = null;
    }
  }

  /** Closes all but these, to give their memory back. */
  keep(models: readonly ModelChoice[]): void {
    const kept = models.map(keyOf);
    for (const key of this.#policies.keys()) if (!kept.includes(key)) this.#close(key);
  }

  /** After a failure: the next question opens it anew. */
  drop(model: ModelChoice): void {
    this.#close(keyOf(model));
  }

  #close(key: string): void {
    this.#policies.get(key)?.close?.();
    this.#policies.delete(key);
  }
}

/** A model loaded in another way is another one; so is one with an adapter whose files have changed under their names. */
function keyOf({ id, load }: ModelChoice): string {
  const written = load?.adapter?.files.map(({ lastModified }) => lastModified) ?? [];
  return `${id} ${JSON.stringify(load ?? {})} ${written.join()}`;
}
