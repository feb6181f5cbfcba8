/**
 * @file Deleting with undo: the thing disappears from the list at once, and from storage a little later. If the page is
 * closed before that, the thing is still there, which is the safer mistake.
 */

import { frameGuard } from './frame-guard.svelte';

/** Milliseconds: long enough to notice a mistake and reach for the button. */
const GRACE_MS = 10_000;

export interface Removal {
  id: string;
  name: string;
}

export class PendingRemoval {
  /** The removal that can still be undone. */
  current = $state.raw<Removal | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param remove deletes for good and reports its own failures */
  constructor(private readonly remove: (id: string) => Promise<unknown>) {}

  /** Starts the grace period. A removal that was pending before is completed. */
  async start(removal: Removal): Promise<void> {
    if (frameGuard.refuses()) return;
    const before = this.flush();
    this.current = removal;
    this.#timer = setTimeout(() => void this.flush(), GRACE_MS);
    await before;
  }

  undo(): void {
    clearTimeout(this.#timer);
    this.current = null;
  }

  /** Completes the pending removal now. */
  async flush(): Promise<void> {
    const removal = this.current;
    if (!removal) return;
    this.undo();
    await this.remove(removal.id);
  }
}
