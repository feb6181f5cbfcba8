/** @file One run and its trainer: what play, pause, step and reset do, and what the page knows about it. */
import type { LiveConfig } from '../../rl/config';
import type { RunConfig, RunEvent } from '../../runs/events';
import type { Resume, Trainer } from '../../runs/trainer';
import { RunState } from './run-state.svelte';
import { Selection } from './selection.svelte';

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
  /** The configuration of the run prepared last. */
  config = $state.raw<RunConfig | null>(null);
  readonly #make: () => Trainer | Promise<Trainer>;
  readonly #listen: ((event: RunEvent) => void) | undefined;
  #trainer: Trainer | null = null;
  /** Counts runs, so that what an abandoned one still reports is ignored. */
  #generation = 0;

  /**
   * @param make called for each run: a trainer makes one.
   * @param listen also gets every event, for keeping the run.
   */
  constructor(make: () => Trainer | Promise<Trainer>, listen?: (event: RunEvent) => void) {
    this.#make = make;
    this.#listen = listen;
  }

  /** Ends the run there is, and gets another to its start, paused. */
  async prepare(config: RunConfig, resume?: Resume, history: readonly RunEvent[] = []): Promise<void> {
    const generation = ++this.#generation;
    const before = this.status;
    this.status = 'preparing';
    this.error = '';
    this.config = config;
    try {
      const abandoned = this.#trainer;
      this.#trainer = null;
      if (abandoned && before !== 'ended') await abandoned.stop();
      const trainer = await this.#make();
      if (generation !== this.#generation) return;
      this.#trainer = trainer;
      this.run.clear();
      this.selection.follow();
      for (const event of history) this.run.push(event);
      const onEvent = (event: RunEvent): void => {
        if (generation === this.#generation) this.#receive(event);
      };
      await trainer.start(config, onEvent, resume);
      if (generation === this.#generation && this.status === 'preparing') this.status = 'paused';
    } catch (error) {
      if (generation === this.#generation) this.#fail(error, 'empty');
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

  /** Back to the same start: the same configuration, the same seed. */
  async reset(): Promise<void> {
    if (this.config) await this.prepare(this.config);
  }

  /** Changes a live setting; it acts from the next step on, and a reset keeps it. */
  async update(change: LiveConfig): Promise<void> {
    if (this.config) this.config = { ...this.config, ...change };
    await this.#ask((trainer) => trainer.update(change));
  }

  /** The current weights as the files of a model folder. */
  exportModel(): Promise<Map<string, Uint8Array>> {
    if (!this.#trainer) return Promise.reject(new Error('There is no run to export a model from.'));
    return this.#trainer.exportModel();
  }

  #receive(event: RunEvent): void {
    this.run.push(event);
    this.#listen?.(event);
    if (event.type === 'finished' || event.type === 'failed') this.status = 'ended';
  }

  #rest(): void {
    if (this.status === 'working') this.status = 'paused';
  }

  async #ask(what: (trainer: Trainer) => void | Promise<void>): Promise<void> {
    if (!this.#trainer) return;
    const generation = this.#generation;
    try {
      await what(this.#trainer);
    } catch (error) {
      if (generation === this.#generation) this.#fail(error, 'ended');
    }
  }

  #fail(error: unknown, status: SessionStatus): void {
    this.error = error instanceof Error ? error.message : String(error);
    this.status = status;
  }
}
