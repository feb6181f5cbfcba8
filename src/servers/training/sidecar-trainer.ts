/**
 * @file A run on a GPU server as a `Trainer`, so that nothing above asks where it runs. Closing the page, or `detach`,
 * leaves the run going; `watch` takes it up again.
 */
import type { LiveConfig } from '../../rl/config';
import type { RunConfig, RunEvent } from '../../runs/events';
import type { Resume, Trainer } from '../../runs/trainer';
import { hasEnded, type RemoteRunOptions, type Sidecar, type SidecarCommand, type RunStatus } from './sidecar';

/** Whoever wants to know more than the events say. None of it is told after `detach`. */
export interface SidecarListener {
  /** Where the run stands, whoever brought it there; first of all when it is being watched. */
  stands?(standing: RunStatus): void;
  /** The stream comes again, after a notice of the sidecar's (`onNotice`) that it was lost. */
  connected?(): void;
  /** It can't be watched any more. The run itself may well go on. */
  lost?(error: unknown): void;
}

interface Waiter {
  is(standing: RunStatus): boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export class SidecarTrainer implements Trainer {
  readonly #sidecar: Sidecar;
  readonly #remote: RemoteRunOptions;
  readonly #listener: SidecarListener;
  readonly #stopWatching = new AbortController();
  #id: string | null = null;
  #onEvent: (event: RunEvent) => void = () => {};
  #standing: RunStatus = { state: 'starting', step: 0, seq: 0 };
  /** The stream has said so. */
  #known = false;
  #lastReason = '';
  #waiters = new Set<Waiter>();
  /** Why the run can no longer be watched; the run itself may well go on. */
  #lost: unknown = null;

  /** @param remote how the server is to run it */
  constructor(sidecar: Sidecar, remote: RemoteRunOptions = {}, listener: SidecarListener = {}) {
    this.#sidecar = sidecar;
    this.#remote = remote;
    this.#listener = listener;
  }

  /** The server's name of the run. */
  get runId(): string | null {
    return this.#id;
  }

  get hasEnded(): boolean {
    return hasEnded(this.#standing);
  }

  /**
   * Starts a run on the server. With `resume`, takes up the run of that id instead, whether its process lives or not, and
   * leaves it as it stands: the server keeps its checkpoints, and all its events come again from the first.
   */
  async start(config: RunConfig, onEvent: (event: RunEvent) => void, resume?: Resume): Promise<void> {
    if (resume) {
      await this.watch(resume.run_id, onEvent);
      return;
    }
    this.#claim(onEvent);
    const { id } = await this.#sidecar.create(config, this.#remote, true, this.#stopWatching.signal);
    this.#follow(id);
    await this.#until(({ state }) => state === 'paused' || hasEnded({ state }));
    if (this.#standing.state === 'failed') throw new Error(this.#lastReason);
  }

  /**
   * Takes up a run that is on the server already. Resolves when what has happened so far has been told.
   * @param after events that are known already: those after it come
   */
  async watch(id: string, onEvent: (event: RunEvent) => void, after = 0): Promise<void> {
    this.#claim(onEvent);
    await this.#sidecar.run(id, this.#stopWatching.signal);
    this.#follow(id, after);
    await this.#until(() => true);
  }

  /** Looks away; the run goes on. */
  detach(): void {
    this.#stopWatching.abort();
  }

  async resume(): Promise<void> {
    await this.#tell('resume');
  }

  async pause(): Promise<void> {
    const seq = await this.#tell('pause');
    await this.#until((standing) => standing.seq >= seq && standing.state === 'paused');
  }

  async step(): Promise<void> {
    if (this.#standing.state !== 'paused') return;
    const seq = await this.#tell('step');
    await this.#until((standing) => standing.seq >= seq && standing.state === 'paused');
  }

  async stop(): Promise<void> {
    if (this.#id === null) return;
    await this.#tell('stop');
    await this.#until(hasEnded);
  }

  async update(change: LiveConfig): Promise<void> {
    if (this.#id === null || this.hasEnded) throw new Error('There is no run to change.');
    await this.#sidecar.update(this.#id, change);
  }

  async exportModel(): Promise<Map<string, Uint8Array>> {
    const id = this.#id;
    if (id === null) throw new Error('There is no model to export yet.');
    const seq = await this.#tell('checkpoint');
    await this.#until((standing) => standing.seq >= seq);
    const last = (await this.#sidecar.checkpoints(id)).at(-1);
    if (!last) throw new Error('The run has no checkpoint to export.');
    return this.#sidecar.download(id, last, this.#stopWatching.signal);
  }

  #claim(onEvent: (event: RunEvent) => void): void {
    if (this.#id !== null || this.#stopWatching.signal.aborted) {
      throw new Error('This trainer has been used: a new run needs a new one.');
    }
    this.#onEvent = onEvent;
  }

  /** Reads the run's stream until it ends, in the background. */
  #follow(id: string, after = 0): void {
    this.#id = id;
    void (async () => {
      try {
        for await (const message of this.#sidecar.watch(id, after, this.#stopWatching.signal)) {
          this.#listener.connected?.();
          if (message.kind === 'run') {
            if (message.event.type === 'failed') this.#lastReason = message.event.reason;
            this.#onEvent(message.event);
          } else this.#stands(message);
        }
        this.#lose(new Error('The run has ended.'));
      } catch (error) {
        this.#lose(error);
        if (!this.#stopWatching.signal.aborted) this.#listener.lost?.(error);
      }
    })();
  }

  #stands({ state, step, seq }: RunStatus): void {
    this.#standing = { state, step, seq };
    this.#known = true;
    if (!this.#stopWatching.signal.aborted) this.#listener.stands?.(this.#standing);
    for (const waiter of [...this.#waiters]) {
      // What has ended will reach nothing any more; the events have said why.
      if (waiter.is(this.#standing) || this.hasEnded) {
        this.#waiters.delete(waiter);
        waiter.resolve();
      }
    }
  }

  #lose(error: unknown): void {
    this.#lost = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /** Resolves when the run stands there, or has ended; rejects when it can no longer be watched. */
  #until(is: (standing: RunStatus) => boolean): Promise<void> {
    if (this.#known && (is(this.#standing) || this.hasEnded)) return Promise.resolve();
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => this.#waiters.add({ is, resolve, reject }));
  }

  /** @returns the command's number; 0 for a run that has ended, which needs none */
  async #tell(what: SidecarCommand): Promise<number> {
    if (this.#id === null || this.hasEnded) return 0;
    try {
      return await this.#sidecar.tell(this.#id, what);
    } catch (error) {
      // It may have ended in the meantime.
      if (hasEnded(await this.#sidecar.run(this.#id))) return 0;
      throw error;
    }
  }
}
