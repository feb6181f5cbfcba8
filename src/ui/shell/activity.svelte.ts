/**
 * @file What would be lost if the page were reloaded now: a run, an answer, a download. Whoever works says so here, and an
 * update of the app waits. Other tabs learn of it through a shared Web Lock, since they share the service worker too.
 */

import { untrack } from 'svelte';

const LOCK = 'tinythink:at-work';

/** Of LockManager, what is used; undefined where the browser has none (insecure contexts). */
export type Locks = Pick<LockManager, 'request' | 'query'>;

export class Activity {
  #entries = $state.raw<readonly { what: string }[]>([]);
  /** What goes on, each in a few words: "a training run". */
  readonly current: readonly string[] = $derived(this.#entries.map(({ what }) => what));
  #release: (() => void) | null = null;

  constructor(private readonly locks: Locks | undefined = globalThis.navigator?.locks) {}

  /** Says that something goes on. @returns what to call when it has ended; calling it again does nothing */
  begin(what: string): () => void {
    const entry = { what };
    // Whoever says so in an effect must not depend on what others say, nor on this.
    this.#entries = [...untrack(() => this.#entries), entry];
    this.#hold();
    return () => {
      const left = untrack(() => this.#entries).filter((other) => other !== entry);
      this.#entries = left;
      if (left.length === 0) this.#letGo();
    };
  }

  /** Whether another tab of this app is at work. */
  async elsewhere(): Promise<boolean> {
    const { held = [] } = (await this.locks?.query()) ?? {};
    const mine = this.#release ? 1 : 0;
    return held.filter(({ name }) => name === LOCK).length > mine;
  }

  #hold(): void {
    if (this.#release || !this.locks) return;
    const ended = new Promise<void>((resolve) => (this.#release = resolve));
    // Tabs that are about to close may be refused; then nobody needs to know.
    void this.locks.request(LOCK, { mode: 'shared' }, () => ended).catch(() => {});
  }

  #letGo(): void {
    this.#release?.();
    this.#release = null;
  }
}

export const activity = new Activity();
