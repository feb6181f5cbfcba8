/**
 * @file Work that a reload would interrupt: a run, an answer, a download. Pages register it here, and an update of the app
 * asks before it reloads. Other tabs share the service worker, so they are told through a shared Web Lock.
 */

import { untrack } from 'svelte';

const LOCK = 'tinythink:at-work';

/** The part of LockManager that is used; undefined in insecure contexts, where there is none. */
export type Locks = Pick<LockManager, 'request' | 'query'>;

export class Activity {
  #entries = $state.raw<readonly { what: string }[]>([]);
  /** What is under way, each as a noun phrase: "a training run". */
  readonly current: readonly string[] = $derived(this.#entries.map(({ what }) => what));
  #release: (() => void) | null = null;

  constructor(private readonly locks: Locks | undefined = globalThis.navigator?.locks) {}

  /** Registers work. @returns a function to call when the work has ended; calling it again does nothing */
  begin(what: string): () => void {
    const entry = { what };
    // An effect that registers work must not depend on the other entries.
    this.#entries = [...untrack(() => this.#entries), entry];
    this.#hold();
    return () => {
      const left = untrack(() => this.#entries).filter((other) => other !== entry);
      this.#entries = left;
      if (left.length === 0) this.#letGo();
    };
  }

  /** Whether another tab of this app has work under way. */
  async elsewhere(): Promise<boolean> {
    const { held = [] } = (await this.locks?.query()) ?? {};
    const mine = this.#release ? 1 : 0;
    return held.filter(({ name }) => name === LOCK).length > mine;
  }

  #hold(): void {
    if (this.#release || !this.locks) return;
    const ended = new Promise<void>((resolve) => (this.#release = resolve));
    // A tab that is about to close may be refused the lock, which then no longer matters.
    void this.locks.request(LOCK, { mode: 'shared' }, () => ended).catch(() => {});
  }

  #letGo(): void {
    this.#release?.();
    this.#release = null;
  }
}

export const activity = new Activity();
