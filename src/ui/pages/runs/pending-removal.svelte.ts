/**
 * @file Deleting with a way back: what is removed disappears from the list at once and from storage a little later. If
 * the page is closed before that, the thing is still there: the safe way to be wrong.
 */

/** Long enough to notice a mistake and reach for the button. */
const GRACE_MS = 10_000;

export interface Removal {
  id: string;
  name: string;
}

export class PendingRemoval {
  /** The one that can still be taken back. */
  current = $state.raw<Removal | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param remove removes for good; a failure is its own to report. */
  constructor(private readonly remove: (id: string) => Promise<unknown>) {}

  /** Starts the grace period; one that was pending before is removed for good. */
  async start(removal: Removal): Promise<void> {
    const before = this.flush();
    this.current = removal;
    this.#timer = setTimeout(() => void this.flush(), GRACE_MS);
    await before;
  }

  undo(): void {
    clearTimeout(this.#timer);
    this.current = null;
  }

  /** Removes for good what is pending, now. */
  async flush(): Promise<void> {
    const removal = this.current;
    if (!removal) return;
    this.undo();
    await this.remove(removal.id);
  }
}
