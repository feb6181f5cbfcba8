/**
 * @file Which tab trains a run of this device. Two tabs that go on with the same run would overwrite each other's events
 * and checkpoints, so the second one has to ask: it takes the run over once the first has stopped and saved it.
 */
import { acquireTabLock, lockOfRun, type Locks } from './tab-lock';

/** How long the other tab has to finish its step and to save, in milliseconds. Then the lock is taken away from it. */
const HANDOVER_MS = 20_000;

type Channel = Pick<BroadcastChannel, 'postMessage' | 'close' | 'onmessage'>;

export interface RunLockParts {
  /** Stops training a run that another tab takes over. Resolves when it is saved. */
  stop: (id: string) => Promise<void>;
  locks?: Locks | undefined;
  /** Between the tabs of this app; null where the browser has none. */
  channel?: (name: string) => Channel | null;
  handoverMs?: number;
}

export class RunLock {
  readonly #parts: RunLockParts;
  /** What this tab holds, by the run's id. */
  readonly #held = new Map<string, { release: () => Promise<void>; channel: Channel | null }>();

  constructor(parts: RunLockParts) {
    this.#parts = parts;
  }

  /** The runs that this tab holds. */
  get held(): string[] {
    return [...this.#held.keys()];
  }

  /** Takes a run for this tab. @returns whether this tab has it now */
  async acquire(id: string): Promise<boolean> {
    return this.#held.has(id) || this.#take(id, {});
  }

  /** Takes a run for this tab, from the tab that has it. That tab stops it and saves it first, if it still answers. */
  async takeOver(id: string): Promise<void> {
    if (this.#held.has(id)) return;
    const channel = this.#open(id);
    channel?.postMessage('take over');
    const wait = AbortSignal.timeout(this.#parts.handoverMs ?? HANDOVER_MS);
    const taken = await this.#take(id, { wait });
    channel?.close();
    if (!taken) await this.#take(id, { steal: true });
  }

  /** Lets other tabs have these runs. */
  async release(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const lock = this.#held.get(id);
      this.#held.delete(id);
      lock?.channel?.close();
      await lock?.release();
    }
  }

  /** Whether a tab, this one or another, has a run. */
  async isHeld(id: string): Promise<boolean> {
    const { locks = globalThis.navigator?.locks } = this.#parts;
    const { held = [] } = (await locks?.query?.()) ?? {};
    return held.some(({ name }) => name === lockOfRun(id));
  }

  async #take(id: string, how: { wait?: AbortSignal; steal?: boolean }): Promise<boolean> {
    const { locks = globalThis.navigator?.locks } = this.#parts;
    const onLost = () => void this.#giveUp(id);
    const release = await acquireTabLock(lockOfRun(id), locks, { ...how, onLost });
    if (!release) return false;
    const channel = this.#open(id);
    if (channel) channel.onmessage = () => void this.#giveUp(id);
    this.#held.set(id, { release, channel });
    return true;
  }

  async #giveUp(id: string): Promise<void> {
    if (!this.#held.has(id)) return;
    await this.#parts.stop(id);
    await this.release([id]);
  }

  #open(id: string): Channel | null {
    if (this.#parts.channel) return this.#parts.channel(lockOfRun(id));
    return typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(lockOfRun(id));
  }
}
