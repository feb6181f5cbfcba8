/** @file Whether the engine answers, for whoever shows it; it costs the page's first seconds nothing. */

export interface SilentEngine {
  /** Ends the engine's worker, and with it whatever was on it; the next use starts another. */
  restart(): void;
}

type Listener = (silent: SilentEngine | null) => void;

export class EngineHealth {
  #silent: SilentEngine | null = null;
  readonly #listeners = new Set<Listener>();

  /** Calls the listener now and at each change: null while the engine answers or isn't running. @returns ends that */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    listener(this.#silent);
    return () => void this.#listeners.delete(listener);
  }

  report(silent: SilentEngine | null): void {
    this.#silent = silent;
    for (const listener of this.#listeners) listener(silent);
  }
}

export const engineHealth = new EngineHealth();
