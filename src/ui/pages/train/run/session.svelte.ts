/** @file One run and its trainer: play, pause, step and stop, and the state that the page shows. */
import { t } from '../../../../i18n';
import { messageOf } from '../../../../base/errors';
import type { LiveConfig } from '../../../../rl/config';
import type { RunConfig, RunEvent } from '../../../../runs/events';
import type { RunObserver, RunStatus, Trainer } from '../../../../runs/trainer';
import type { RunSource, SessionStatus } from './run-source';
import { RunState } from './run-state.svelte';
import { Selection } from '../selection.svelte';

/** What the page shows for a run on a server. */
const REMOTE_STATUS: Record<Extract<RunStatus, { kind: 'remote' }>['state'], SessionStatus> = {
  starting: 'preparing',
  running: 'running',
  paused: 'paused',
  finished: 'ended',
  stopped: 'ended',
  failed: 'ended',
};

export class TrainSession {
  readonly run = new RunState();
  readonly selection = new Selection();
  status = $state<SessionStatus>('empty');
  /** An error that the run's events don't report, as a message for the user; empty if there is none. */
  error = $state('');
  /** Progress of loading the model, in words; empty if unknown. */
  loading = $state('');
  /** While the connection to a remote run is down and being retried: why. Otherwise empty. */
  connection = $state('');
  /** A remote run can't be watched any longer, for the reason in `error`. It may still be going on. */
  lost = $state(false);
  source = $state.raw<RunSource | null>(null);
  /** The config of the current run, with live changes. */
  config = $state.raw<RunConfig | null>(null);
  #trainer: Trainer | null = null;
  /** Counts runs, so that late reports of an abandoned one are ignored. */
  #generation = 0;
  /** The last reported status of a remote run. */
  #remoteStatus: SessionStatus = 'preparing';

  /**
   * Ends the current run, or stops watching it if it is remote, and loads another, paused at its start. Never rejects:
   * see `error`.
   */
  async prepare(source: RunSource): Promise<void> {
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    const abandoned = this.#trainer;
    const hadEnded = this.status === 'ended';
    this.#trainer = null;
    this.status = this.#remoteStatus = 'preparing';
    this.error = this.loading = this.connection = '';
    this.lost = false;
    this.source = source;
    this.config = source.config;
    this.run.clear();
    this.selection.follow();
    try {
      if (abandoned?.detach) abandoned.detach();
      else if (!hadEnded) await abandoned?.stop();
      if (!current()) return;
      const trainer = await source.make();
      if (!current()) return;
      this.#trainer = trainer;
      for (const event of source.history ?? []) {
        this.run.push(event);
        this.#follow(event);
      }
      await trainer.start(source.config, this.#observerFor(current), source.resume);
      // A remote run reports its own status: it may still be starting.
      if (!current() || this.status !== 'preparing' || source.remote) return;
      this.status = source.kind === 'saved' ? 'ended' : 'paused';
    } catch (error) {
      if (current()) this.#fail(error, 'empty');
    }
  }

  /** Ends the run on this page without an event, because it goes on elsewhere. Resolves when its step in progress is over. */
  async abandon(reason: string): Promise<void> {
    this.#generation++;
    const trainer = this.#trainer;
    this.#trainer = null;
    this.#fail(new Error(reason), 'ended');
    await trainer?.stop().catch(() => {});
  }

  async play(): Promise<void> {
    if (this.status !== 'paused') return;
    this.status = 'running';
    await this.#command((trainer) => trainer.resume());
  }

  async pause(): Promise<void> {
    if (this.status !== 'running') return;
    this.status = 'working';
    await this.#command((trainer) => trainer.pause());
    this.#settle();
  }

  async step(): Promise<void> {
    if (this.status !== 'paused') return;
    this.status = 'working';
    this.selection.follow();
    await this.#command((trainer) => trainer.step());
    this.#settle();
  }

  /** Ends a remote run for good. */
  async stop(): Promise<void> {
    if (!this.source?.remote || this.status === 'ended' || this.status === 'empty') return;
    this.status = 'working';
    await this.#command((trainer) => trainer.stop());
    this.#settle();
  }

  /** A source that starts the run again with the same seed; null if there is no run. */
  again(): RunSource | null {
    const { source, config } = this;
    return source && config && (source.again?.(config) ?? { ...source, config });
  }

  /** Changes a live setting from the next step on. A reset keeps the change. */
  async update(change: LiveConfig): Promise<void> {
    const trainer = this.#trainer;
    if (!trainer) return;
    try {
      await trainer.update(change);
      if (trainer === this.#trainer && this.config) this.config = { ...this.config, ...change };
    } catch (error) {
      // The run goes on unchanged.
      if (trainer === this.#trainer) this.error = messageOf(error);
    }
  }

  /** The current weights as the files of a model folder. */
  exportModel(): Promise<Map<string, Uint8Array>> {
    if (!this.#trainer) return Promise.reject(new Error(t('train:run.noExport')));
    return this.#trainer.exportModel();
  }

  #receive(event: RunEvent): void {
    this.loading = '';
    this.run.push(event);
    this.#follow(event);
    this.source?.listen?.(event);
    if (event.type === 'finished' || event.type === 'failed') this.status = 'ended';
  }

  /** Another page may change the settings of a remote run. */
  #follow(event: RunEvent): void {
    if (event.type === 'changed' && this.source?.remote && this.config) {
      this.config = { ...this.config, ...event.change };
    }
  }

  #observerFor(current: () => boolean): RunObserver {
    return {
      event: (event) => {
        if (current()) this.#receive(event);
      },
      status: (reported) => {
        if (!current() || reported.kind !== 'remote') return;
        const status = REMOTE_STATUS[reported.state];
        this.#remoteStatus = status;
        // While a command of this page is under way, only the end of the run is shown.
        if (this.status !== 'working' || status === 'ended') this.status = status;
      },
      disconnected: (reason) => {
        if (current()) this.connection = reason ?? '';
      },
      lost: (error) => {
        if (!current()) return;
        this.connection = '';
        this.lost = true;
        this.#fail(error, 'ended');
      },
    };
  }

  #settle(): void {
    if (this.status === 'working') this.status = this.source?.remote ? this.#remoteStatus : 'paused';
  }

  async #command(command: (trainer: Trainer) => void | Promise<void>): Promise<void> {
    const trainer = this.#trainer;
    if (!trainer) return;
    const remote = this.source?.remote !== undefined;
    if (remote) this.error = '';
    try {
      await command(trainer);
    } catch (error) {
      if (trainer !== this.#trainer || this.lost) return;
      // A command that didn't reach the server has changed nothing there.
      this.#fail(error, remote ? this.#remoteStatus : 'ended');
    }
  }

  #fail(error: unknown, status: SessionStatus): void {
    this.error = messageOf(error);
    this.status = status;
  }
}
