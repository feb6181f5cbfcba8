/**
 * @file The one run of the page and all that it lives with: engine, storage, address. It outlives the Train page, so
 * that a run goes on while its reader looks at another page.
 */
import { configFromParams, configToParams } from '../../runs/config';
import type { RunConfig, RunEvent } from '../../runs/events';
import type { Policy } from '../../runs/policy';
import { getPreset, presetConfig } from '../../runs/presets';
import { RunStorage, type SavedRun } from '../../runs/storage';
import { RunWriter } from '../../runs/writer';
import { engine, type LocalEngineTrainer } from '../../worker/client';
import type { ProbeResult } from '../../worker/protocol';
import { activity } from '../offline/activity.svelte';
import { router } from '../router.svelte';
import type { Which } from './duel.svelte';
import { TrainSession, type RunSource } from './session.svelte';
import { liveSource, openSource, SOURCE_PARAMS, type SourceParts } from './sources';

const EMBEDDED_MODELS = ['tinythink-1m'];

class TrainRoom {
  readonly session = new TrainSession();
  /** What computes here; null until it is known. */
  probe = $state.raw<ProbeResult | null>(null);
  /** What went wrong without stopping the run; empty if nothing did. */
  warning = $state('');
  /** Settings of the address that could not be used. */
  linkProblems = $state.raw<readonly { param: string; message: string }[]>([]);
  models = $state.raw<readonly string[]>(EMBEDDED_MODELS);
  /** A run that was broken off, by a reload for example, and can be gone on with. */
  unfinished = $state.raw<{ run: SavedRun; checkpoint: number } | null>(null);

  readonly #storage = new RunStorage();
  readonly #writer = new RunWriter(this.#storage, (message) => (this.warning = message));
  readonly #parts: SourceParts = {
    local: () => this.#localTrainer(),
    storage: this.#storage,
    keep: (event) => this.#keep(event),
  };
  /** Events of a run that has made no step yet. */
  #held: RunEvent[] = [];
  #trainer: LocalEngineTrainer | null = null;
  /** The query that the run on the page was opened from. */
  #opened: string | null = null;

  constructor() {
    addEventListener('pagehide', () => void this.#writer.flush());
    // A saved run or a recording that plays loses nothing by a reload.
    const working = () => this.session.source?.kind === 'live' && /^(running|working)$/.test(this.session.status);
    $effect.root(() => {
      $effect(() => (working() ? activity.begin('the training run') : undefined));
    });
  }

  /** Puts the run on the page that the address names, unless it is there already. */
  async open(params: URLSearchParams): Promise<void> {
    if (this.#opened === params.toString()) return;
    if (params.size === 0 && this.#opened !== null) {
      // Back from another page by its plain link: the run is still here.
      router.replaceParams(new URLSearchParams(this.#opened));
      return;
    }
    const key = (this.#opened = params.toString());
    this.session.error = '';
    this.linkProblems = configFromParams(params, SOURCE_PARAMS).problems;
    try {
      const [source, probe] = await Promise.all([openSource(params, this.#parts), this.#probeOnce()]);
      if (this.#opened !== key) return;
      if (source.kind !== 'live' || probe.available) {
        await this.#prepare(params.size === 0 && probe.available && probe.software ? this.#smallSource() : source);
      }
      await this.#lookAround();
    } catch (error) {
      if (this.#opened === key) this.session.error = messageOf(error);
    }
  }

  /** Starts a live run of a config. */
  begin(config: RunConfig): Promise<void> {
    this.linkProblems = [];
    return this.#prepare(liveSource(config, this.#parts));
  }

  /** Back to the same start; a saved run is trained anew. */
  async reset(): Promise<void> {
    const source = this.session.again();
    if (source) await this.#prepare(source);
  }

  /** The model before training and the model now. @throws Error for the reader, when there is none to ask */
  async policy(which: Which): Promise<Policy & { close?: () => void }> {
    const model = this.session.source?.config.model;
    if (which === 'before' && model) return engine().openPolicy(model);
    if (which === 'after' && this.#trainer) return this.#trainer.currentPolicy();
    throw new Error('There is no model here to ask.');
  }

  #prepare(source: RunSource): Promise<void> {
    this.warning = '';
    this.unfinished = null;
    if (source.kind === 'live' && !source.resume) {
      const params = configToParams(source.config);
      this.#opened = params.toString();
      if (router.route.page === 'train') router.replaceParams(params);
    }
    return this.session.prepare(source);
  }

  /** Saves a run from its first step on: opening the page must not fill the library with runs that never began. */
  #keep(event: RunEvent): void {
    if (event.type === 'started') this.#held = [];
    this.#held.push(event);
    if (event.type !== 'step' && this.#held[0]?.type === 'started') return;
    for (const held of this.#held) this.#writer.append(held);
    this.#held = [];
  }

  /** Without wishes in the address, a batch that a processor can do. */
  #smallSource(): RunSource {
    return liveSource(presetConfig(getPreset('small')!), this.#parts);
  }

  #localTrainer(): LocalEngineTrainer {
    this.#trainer = engine().createTrainer((message) => (this.warning = message));
    return this.#trainer;
  }

  async #probeOnce(): Promise<ProbeResult> {
    this.probe ??= await engine().probe();
    return this.probe;
  }

  /** What is stored here: models to start from, and the newest run if it was broken off. Its failure is no one's loss. */
  async #lookAround(): Promise<void> {
    try {
      const imported = await this.#storage.modelNames();
      this.models = [...EMBEDDED_MODELS, ...imported.map((name) => `file:${name}`)];
      const current = this.session.run.view.started?.run_id;
      const newest = (await this.#storage.list()).find((run) => run.id !== current);
      const steps = newest?.status === 'open' ? await this.#storage.checkpointSteps(newest.id) : [];
      const checkpoint = steps.at(-1);
      const fresh = this.session.source?.kind === 'live' && !this.session.source.resume;
      if (newest && checkpoint && fresh) {
        this.unfinished = { run: newest, checkpoint };
      }
    } catch {
      // Private windows have no storage; training needs none.
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const room = new TrainRoom();
