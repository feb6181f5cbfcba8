/**
 * @file A run on a GPU server as a `Trainer`, so that its users needn't know where it runs. The run goes on when the page
 * is closed or after `detach`; `watch` follows it again.
 */
import { t } from '../../i18n';
import type { LiveConfig } from '../../rl/config';
import type { RunConfig } from '../../runs/events';
import type { Resume, RunObserver, Trainer } from '../../runs/trainer';
import type { Sidecar } from './sidecar';
import { hasEnded, type RemoteRunOptions, type RunStatus, type SidecarCommand } from './sidecar-schema';

interface Waiter {
  isReached(status: RunStatus): boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export class SidecarTrainer implements Trainer {
  readonly #sidecar: Sidecar;
  readonly #remote: RemoteRunOptions;
  readonly #stopWatching = new AbortController();
  #id: string | null = null;
  #observer: RunObserver = { event: () => {} };
  #status: RunStatus = { state: 'starting', step: 0, seq: 0 };
  /** Whether `#status` came from the stream. */
  #isKnown = false;
  #lastReason = '';
  #waiters = new Set<Waiter>();
  /** Why the run can no longer be watched. */
  #lost: unknown = null;

  /**
   * @param remote how the server runs it
   * @param stored the number of events that are known already when the run is resumed, and don't come again
   */
  constructor(
    sidecar: Sidecar,
    remote: RemoteRunOptions = {},
    private readonly stored = 0,
  ) {
    this.#sidecar = sidecar;
    this.#remote = remote;
  }

  /** The server's id of the run. */
  get runId(): string | null {
    return this.#id;
  }

  get hasEnded(): boolean {
    return hasEnded(this.#status);
  }

  /**
   * Starts a run on the server. With `resume`, follows the run of that id instead and changes nothing about it: the server
   * keeps its checkpoints, and all its events come again from the first.
   */
  async start(config: RunConfig, observer: RunObserver, resume?: Resume): Promise<void> {
    if (resume) {
      await this.watch(resume.run_id, observer, this.stored);
      return;
    }
    this.#claim(observer);
    const { id } = await this.#sidecar.create(config, this.#remote, true, this.#stopWatching.signal);
    this.#follow(id);
    await this.#until(({ state }) => state === 'paused' || hasEnded({ state }));
    if (this.#status.state === 'failed') throw new Error(this.#lastReason);
  }

  /**
   * Follows a run that exists on the server. Resolves when its events so far have been passed on.
   * @param after the number of events that are known already and don't come again
   */
  async watch(id: string, observer: RunObserver, after = 0): Promise<void> {
    this.#claim(observer);
    await this.#sidecar.run(id, this.#stopWatching.signal);
    this.#follow(id, after);
    await this.#until(() => true);
  }

  /** Stops watching; the run goes on. */
  detach(): void {
    this.#stopWatching.abort();
  }

  async resume(): Promise<void> {
    await this.#command('resume');
  }

  async pause(): Promise<void> {
    const seq = await this.#command('pause');
    await this.#until((status) => status.seq >= seq && status.state === 'paused');
  }

  async step(): Promise<void> {
    if (this.#status.state !== 'paused') return;
    const seq = await this.#command('step');
    await this.#until((status) => status.seq >= seq && status.state === 'paused');
  }

  async stop(): Promise<void> {
    if (this.#id === null) return;
    await this.#command('stop');
    await this.#until(hasEnded);
  }

  async update(change: LiveConfig): Promise<void> {
    if (this.#id === null || this.hasEnded) throw new Error(t('servers:sidecar.noRunToChange'));
    await this.#sidecar.update(this.#id, change);
  }

  async exportModel(): Promise<Map<string, Uint8Array>> {
    const id = this.#id;
    if (id === null) throw new Error(t('servers:sidecar.noModelYet'));
    const seq = await this.#command('checkpoint');
    await this.#until((status) => status.seq >= seq);
    const last = (await this.#sidecar.checkpoints(id)).at(-1);
    if (!last) throw new Error(t('servers:sidecar.noCheckpoint'));
    return this.#sidecar.download(id, last, this.#stopWatching.signal);
  }

  #claim(observer: RunObserver): void {
    if (this.#id !== null || this.#stopWatching.signal.aborted) {
      throw new Error(t('servers:sidecar.trainerUsed'));
    }
    this.#observer = observer;
  }

  /** Reads the run's stream until it ends, in the background. */
  #follow(id: string, after = 0): void {
    this.#id = id;
    void (async () => {
      try {
        const disconnected = (reason: string) => this.#observer.disconnected?.(reason);
        for await (const message of this.#sidecar.watch(id, after, this.#stopWatching.signal, disconnected)) {
          this.#observer.disconnected?.(null);
          if (message.kind === 'run') {
            if (message.event.type === 'failed') this.#lastReason = message.event.reason;
            this.#observer.event(message.event);
          } else this.#setStatus(message);
        }
        this.#lose(new Error(t('servers:sidecar.runEnded')));
      } catch (error) {
        this.#lose(error);
        if (!this.#stopWatching.signal.aborted) this.#observer.lost?.(error);
      }
    })();
  }

  #setStatus({ state, step, seq }: RunStatus): void {
    this.#status = { state, step, seq };
    this.#isKnown = true;
    if (!this.#stopWatching.signal.aborted) this.#observer.status?.({ kind: 'remote', state, step });
    for (const waiter of [...this.#waiters]) {
      // A run that has ended reaches nothing else; its events have said why.
      if (waiter.isReached(this.#status) || this.hasEnded) {
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

  /** Resolves when the run has reached that status or has ended; rejects when it can no longer be watched. */
  #until(isReached: (status: RunStatus) => boolean): Promise<void> {
    if (this.#isKnown && (isReached(this.#status) || this.hasEnded)) return Promise.resolve();
    if (this.#lost) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => this.#waiters.add({ isReached, resolve, reject }));
  }

  /** @returns the command's number; 0 for a run that has ended, which needs no command */
  async #command(command: SidecarCommand): Promise<number> {
    if (this.#id === null || this.hasEnded) return 0;
    try {
      return await this.#sidecar.command(this.#id, command);
    } catch (error) {
      // The run may have ended in the meantime.
      if (hasEnded(await this.#sidecar.run(this.#id))) return 0;
      throw error;
    }
  }
}
