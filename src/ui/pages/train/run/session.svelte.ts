/** @file One run and its trainer: what play, pause, step and reset do, and what the page knows about it. */
import { messageOf } from '../../../../base/errors';
import type { LiveConfig } from '../../../../rl/config';
import type { RunConfig, RunEvent } from '../../../../runs/events';
import type { Resume, Trainer } from '../../../../runs/trainer';
import type { Elsewhere } from '../server/remote-run-list';
import { RunState } from './run-state.svelte';
import { Selection } from '../selection.svelte';

/** Where a run comes from; the page treats all alike. */
export interface RunSource {
  /** `live` runs can be adjusted; a `recording` plays what was; a `saved` run is shown as far as it came. */
  kind: 'live' | 'recording' | 'saved';
  config: RunConfig;
  /** A trainer makes one run, so each preparation makes another. @param told of a run that lives elsewhere */
  make: (told: RunObserver) => Trainer | Promise<Trainer>;
  /** The server that the run lives on: it goes on when nobody looks, and others may see to it too. */
  elsewhere?: Elsewhere;
  resume?: Resume;
  /** What came before `resume`. */
  history?: readonly RunEvent[];
  /** Also gets every event, for keeping the run. */
  listen?: (event: RunEvent) => void;
  /** What a reset opens, for a source that can't begin again itself. */
  again?: (config: RunConfig) => RunSource;
}

/** What is to be known beside the events of a run that lives elsewhere. */
export interface RunObserver {
  /** How it stands, whoever brought it there. */
  stands(status: SessionStatus): void;
  /** Why nothing is heard of it just now; empty when it is heard again. */
  connection(notice: string): void;
  /** It can't be watched any more; it may well go on. */
  lost(error: unknown): void;
}

/**
 * `empty`: nothing prepared. `preparing`: the model is loading and being evaluated. `working`: a single step, or a run
 * on its way to a pause. `ended`: finished or failed; only a reset goes on.
 */
export type SessionStatus = 'empty' | 'preparing' | 'paused' | 'running' | 'working' | 'ended';

export class TrainSession {
  readonly run = new RunState();
  readonly selection = new Selection();
  status = $state<SessionStatus>('empty');
  /** What went wrong outside of the event stream, for the reader; empty if nothing did. */
  error = $state('');
  /** What of the model has been loaded while it is, in words; empty where nothing is known. */
  loading = $state('');
  /** Why nothing is heard of a run elsewhere, while the page tries again; empty if it is heard. */
  connection = $state('');
  /** A run elsewhere can't be watched any more, which `error` explains; it may well go on. */
  lost = $state(false);
  source = $state.raw<RunSource | null>(null);
  /** The configuration of the run prepared last, with live changes. */
  config = $state.raw<RunConfig | null>(null);
  #trainer: Trainer | null = null;
  /** Counts runs, so that what an abandoned one still reports is ignored. */
  #generation = 0;
  /** How a run elsewhere stood when it was last heard of. */
  #standing: SessionStatus = 'preparing';

  /** Ends the run there is, or looks away from one that lives elsewhere, and gets another to its start, paused. Never rejects: see `error`. */
  async prepare(source: RunSource): Promise<void> {
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    const abandoned = this.#trainer;
    const hadEnded = this.status === 'ended';
    this.#trainer = null;
    this.status = this.#standing = 'preparing';
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
      const trainer = await source.make(this.#told(current));
      if (!current()) return;
      this.#trainer = trainer;
      for (const event of source.history ?? []) {
        this.run.push(event);
        this.#follow(event);
      }
      await trainer.start(source.config, (event) => current() && this.#receive(event), source.resume);
      // Elsewhere it may still be starting; it tells.
      if (!current() || this.status !== 'preparing' || source.elsewhere) return;
      this.status = source.kind === 'saved' ? 'ended' : 'paused';
    } catch (error) {
      if (current()) this.#fail(error, 'empty');
    }
  }

  async play(): Promise<void> {
    if (this.status !== 'paused') return;
    this.status = 'running';
    await this.#ask((trainer) => trainer.resume());
  }

  async pause(): Promise<void> {
    if (this.status !== 'running') return;
    this.status = 'working';
    await this.#ask((trainer) => trainer.pause());
    this.#rest();
  }

  async step(): Promise<void> {
    if (this.status !== 'paused') return;
    this.status = 'working';
    this.selection.follow();
    await this.#ask((trainer) => trainer.step());
    this.#rest();
  }

  /** Ends a run that lives elsewhere, for good. */
  async stop(): Promise<void> {
    if (!this.source?.elsewhere || this.status === 'ended' || this.status === 'empty') return;
    this.status = 'working';
    await this.#ask((trainer) => trainer.stop());
    this.#rest();
  }

  /** The same start again, with the same seed; null before there was one. */
  again(): RunSource | null {
    const { source, config } = this;
    return source && config && (source.again?.(config) ?? { ...source, config });
  }

  /** Changes a live setting; it acts from the next step on, and a reset keeps it. */
  async update(change: LiveConfig): Promise<void> {
    const trainer = this.#trainer;
    if (!trainer) return;
    try {
      await trainer.update(change);
      if (trainer === this.#trainer && this.config) this.config = { ...this.config, ...change };
    } catch (error) {
      // The run goes on as it was.
      if (trainer === this.#trainer) this.error = messageOf(error);
    }
  }

  /** The current weights as the files of a model folder. */
  exportModel(): Promise<Map<string, Uint8Array>> {
    if (!this.#trainer) return Promise.reject(new Error('There is no run to export a model from.'));
    return this.#trainer.exportModel();
  }

  #receive(event: RunEvent): void {
    this.loading = '';
    this.run.push(event);
    this.#follow(event);
    this.source?.listen?.(event);
    if (event.type === 'finished' || event.type === 'failed') this.status = 'ended';
  }

  /** Settings may be changed by others than this page. */
  #follow(event: RunEvent): void {
    if (event.type === 'changed' && this.source?.elsewhere && this.config) {
      this.config = { ...this.config, ...event.change };
    }
  }

  #told(current: () => boolean): RunObserver {
    return {
      stands: (status) => {
        if (!current()) return;
        this.#standing = status;
        // A command of this page's own is seen to first.
        if (this.status !== 'working' || status === 'ended') this.status = status;
      },
      connection: (notice) => {
        if (current()) this.connection = notice;
      },
      lost: (error) => {
        if (!current()) return;
        this.connection = '';
        this.lost = true;
        this.#fail(error, 'ended');
      },
    };
  }

  #rest(): void {
    if (this.status === 'working') this.status = this.source?.elsewhere ? this.#standing : 'paused';
  }

  async #ask(what: (trainer: Trainer) => void | Promise<void>): Promise<void> {
    const trainer = this.#trainer;
    if (!trainer) return;
    const elsewhere = this.source?.elsewhere !== undefined;
    if (elsewhere) this.error = '';
    try {
      await what(trainer);
    } catch (error) {
      if (trainer !== this.#trainer || this.lost) return;
      // What did not reach a server has changed nothing there.
      this.#fail(error, elsewhere ? this.#standing : 'ended');
    }
  }

  #fail(error: unknown, status: SessionStatus): void {
    this.error = messageOf(error);
    this.status = status;
  }
}
