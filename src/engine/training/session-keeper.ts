/** @file Holds the one engine session of a run, notices when its GPU is lost, and makes the session anew. */
import { messageOf } from '../../base/errors';
import { sleep } from '../../base/sleep';
import type { TrainingSession } from './session';

/** The GPU went away under a call; the session is gone with all that was on it. */
export class DeviceLostError extends Error {
  override name = 'DeviceLostError';
}

/** So many losses without a new step done in between end the run. */
const LOSSES_IN_A_ROW = 3;
const WAIT_MS = 500;

export class SessionKeeper {
  readonly #create: () => Promise<TrainingSession>;
  readonly #wait: (milliseconds: number) => Promise<void>;
  #session: TrainingSession | null = null;
  #losses = 0;
  #furthest = 0;

  constructor(create: () => Promise<TrainingSession>, wait = sleep) {
    this.#create = create;
    this.#wait = wait;
  }

  get isOpen(): boolean {
    return this.#session !== null;
  }

  /** Makes the session, from a checkpoint if there is one. */
  async open(checkpoint?: Uint8Array): Promise<void> {
    this.#session = await this.#create();
    if (checkpoint) await this.use((session) => session.restore(checkpoint));
  }

  /**
   * Calls the session.
   * @throws DeviceLostError as soon as the GPU is lost, whether or not the call itself ever settles
   */
  async use<T>(call: (session: TrainingSession) => Promise<T>): Promise<T> {
    const session = this.#session;
    if (!session) throw new Error('There is no session: the run has ended.');
    const lost = session.lost.then((reason): never => {
      throw new DeviceLostError(reason);
    });
    try {
      return await Promise.race([call(session), lost]);
    } catch (error) {
      if (error instanceof DeviceLostError) throw error;
      // A call may fail because of a loss a moment before the loss is announced.
      const reason = await Promise.race([session.lost, this.#wait(50).then(() => null)]);
      throw reason === null ? error : new DeviceLostError(reason, { cause: error });
    }
  }

  /** A step further than any before was done: losses before it no longer count. */
  progressed(step: number): void {
    if (step <= this.#furthest) return;
    this.#furthest = step;
    this.#losses = 0;
  }

  /**
   * After a loss: a new session from the checkpoint, with a growing pause before each attempt.
   * @throws Error when the GPU was lost, or could not be had again, too often in a row
   */
  async reopen(loss: DeviceLostError, checkpoint: Uint8Array): Promise<void> {
    let reason = loss.message;
    for (;;) {
      this.close();
      this.#losses++;
      if (this.#losses >= LOSSES_IN_A_ROW) {
        throw new Error(
          `The GPU was lost ${this.#losses} times in a row (${reason}). The last checkpoint is kept. ` +
            'Close other pages that use the GPU, or use a smaller batch, and go on from there.',
        );
      }
      await this.#wait(WAIT_MS * this.#losses);
      try {
        await this.open(checkpoint);
        return;
      } catch (error) {
        reason = messageOf(error);
      }
    }
  }

  close(): void {
    this.#session?.destroy();
    this.#session = null;
  }
}
