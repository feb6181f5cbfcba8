/** @file One run and its trainer: what play, pause, step and reset do, and what the page knows about it. */
import type { LiveConfig } from '../../rl/config';
import type { RunConfig, RunEvent } from '../../runs/events';
import type { Resume, Trainer } from '../../runs/trainer';
import { RunState } from './run-state.svelte';
import { Selection } from './selection.svelte';

/** Where a run comes from; the page treats all alike. */
export interface RunSource {
  /** `live` runs can be adjusted; a `recording` plays what was; a `saved` run is shown as far as it came. */
  kind: 'live' | 'recording' | 'saved';
  config: RunConfig;
  /** A trainer makes one run, so each preparation makes another. */
  make: () => Trainer | Promise<Trainer>;
  resume?: Resume;
  /** What came before `resume`. */
  history?: readonly RunEvent[];
  /** Also gets every event, for keeping the run. */
  listen?: (event: RunEvent) => void;
  /** What a reset opens, for a source that can't begin again itself. */
  again?: (config: RunConfig) => RunSource;
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
  source = $state.raw<RunSource | null>(null);
  /** The configuration of the run prepared last, with live changes. */
  config = $state.raw<RunConfig | null>(null);
  #trainer: Trainer | null = null;
  /** Counts runs, so that what an abandoned one still reports is ignored. */
  #generation = 0;

  /** Ends the run there is, and gets another to its start, paused. Never rejects: see `error`. */
  async prepare(source: RunSource): Promise<void> {
    const generation = ++this.#generation;
    const current = (): boolean => generation === this.#generation;
    const abandoned = this.status === 'ended' ? null : this.#trainer;
    this.#trainer = null;
    this.status = 'preparing';
    this.error = '';
    this.source = source;
    this.config = source.config;
    this.run.clear();
    this.selection.follow();
    try {
      await abandoned?.stop();
      if (!current()) return;
      const trainer = await source.make();
      if (!current()) return;
      this.#trainer = trainer;
      for (const event of source.history ?? []) this.run.push(event);
      await trainer.start(source.config, (event) => current() && this.#receive(event), source.resume);
      if (current() && this.status === 'preparing') this.status = source.kind === 'saved' ? 'ended' : 'paused';
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
    this.run.push(event);
    this.source?.listen?.(event);
    if (event.type === 'finished' || event.type === 'failed') this.status = 'ended';
  }

  #rest(): void {
    if (this.status === 'working') this.status = 'paused';
  }

  async #ask(what: (trainer: Trainer) => void | Promise<void>): Promise<void> {
    const trainer = this.#trainer;
    if (!trainer) return;
    try {
      await what(trainer);
    } catch (error) {
      if (trainer === this.#trainer) this.#fail(error, 'ended');
    }
  }

  #fail(error: unknown, status: SessionStatus): void {
    this.error = messageOf(error);
    this.status = status;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
