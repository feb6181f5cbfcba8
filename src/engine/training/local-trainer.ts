/**
 * @file The run loop on this machine's engine. It owns what a run is made of besides the arithmetic: the order of events,
 * pausing, checkpoints, and recovery after the GPU was lost. It knows no GPU: sessions come from a factory.
 */
import { messageOf } from '../../base/errors';
import { parameterCount } from '../../formats/hf/architecture';
import { tokenizerOf, type Model } from '../../formats/model';
import { exportCheckpoint, modelOfCheckpoint } from '../../rl/checkpoint';
import type { LiveConfig, RunConfig } from '../../rl/config';
import { readsLanguage } from '../../rl/prompt';
import type { EvaluationResult } from '../../rl/step-result';
import type { OpenChatModel } from '../../runs/chat-model';
import { checkConfig } from '../../runs/config';
import { SCHEMA_VERSION, type RunEvent } from '../../runs/events';
import type { Resume, RunObserver, RunStatus, Trainer } from '../../runs/trainer';
import type { TrainingSession, WhichWeights } from './session';
import { DeviceLostError, SessionKeeper } from './session-keeper';
import { sharedChatModel } from './shared-chat-model';
import { TurnQueue } from './turn-queue';

/** What the trainer is given instead of reaching for it. */
export interface LocalTrainerParts {
  openModel(name: string): Promise<Model>;
  /** @throws when the model doesn't fit the device, with the bytes that it needs */
  openSession(
    config: RunConfig,
    model: Model,
    tell: { warning(message: string): void; status(status: RunStatus): void },
  ): Promise<TrainingSession>;
  /** Opens a model to chat with, on a device of its own. */
  openChatModel?(model: Model): Promise<OpenChatModel>;
  /** For the `started` event, for example the adapter's name. */
  device(): string;
  /** Keeps a checkpoint beyond this process. A failure is a warning, not the end of the run. */
  saveCheckpoint?(runId: string, step: number, bytes: Uint8Array, model: Model): Promise<void>;
  loadCheckpoint?(runId: string, step: number): Promise<Uint8Array | undefined>;
  newId?(): string;
  /** Waits between attempts to get a lost GPU back; tests don't. */
  wait?(milliseconds: number): Promise<void>;
}

/** A config that can't run; the message has one line for each problem. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** The most steps that a lost GPU can cost when `save_steps` is 0. */
const MEMORY_CHECKPOINT_STEPS = 20;

type Phase = 'new' | 'starting' | 'paused' | 'running' | 'ended';

export class LocalTrainer implements Trainer {
  readonly #parts: LocalTrainerParts;
  #phase: Phase = 'new';
  #observer!: RunObserver;
  /** Events are sent once the run has begun; a start that fails sends none. */
  #begun = false;
  #config!: RunConfig;
  #model!: Model;
  #keeper!: SessionKeeper;
  #runId = '';
  /** Steps done. */
  #completed = 0;
  #live: LiveConfig = {};
  /** What to continue from when the GPU is lost. */
  #checkpoint: { step: number; bytes: Uint8Array } = { step: 0, bytes: new Uint8Array() };
  #persisted = -1;
  #loop: Promise<void> = Promise.resolve();
  /** Calls of the session run one after another: an export must not run into a step. */
  readonly #turns = new TurnQueue();
  /** Aborts when the run ends or is about to: chat answers in the session's memory end with it. */
  readonly #ending = new AbortController();

  constructor(parts: LocalTrainerParts) {
    this.#parts = parts;
  }

  /** Finished, failed or never begun; the last weights are still available. */
  get hasEnded(): boolean {
    return this.#phase === 'ended';
  }

  async start(config: RunConfig, observer: RunObserver, resume?: Resume): Promise<void> {
    if (this.#phase !== 'new') throw new Error('This trainer has been used: a new run needs a new one.');
    this.#phase = 'starting';
    this.#observer = observer;
    let before: EvaluationResult | null = null;
    try {
      refuseProblems(config);
      this.#model = await this.#parts.openModel(config.model);
      refuseProblems(config, this.#model.config.max_position_embeddings);
      // A copy: what the caller does to its own object is not an update of the run.
      this.#config = structuredClone(config);
      const saved = resume && (await this.#savedCheckpoint(resume));
      this.#keeper = new SessionKeeper(() => this.#newSession(), this.#parts.wait);
      await this.#keeper.open(saved);
      this.#refuseStopped();
      this.#begun = true;
      this.#runId = resume?.run_id ?? (this.#parts.newId ?? (() => crypto.randomUUID()))();
      this.#completed = resume?.step ?? 0;
      const measuresStart = !saved && config.cold_start_steps > 0 && config.eval_steps > 0;
      if (measuresStart) before = await this.#keeper.use((session) => session.evaluateBeforeSft());
      const bytes = saved ?? (await this.#keeper.use((session) => session.checkpoint()));
      this.#checkpoint = { step: this.#completed, bytes };
      this.#refuseStopped();
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#emitStarted();
    if (before) this.#emit({ type: 'eval', step: 0, phase: 'before_cold_start', ...before });
    if (resume) {
      const { step } = resume;
      this.#persisted = step;
      this.#emit({ type: 'interrupted', step, reason: 'resumed from a saved checkpoint', resumes_from: step });
    }
    this.#phase = 'paused';
    if (!resume && config.eval_steps > 0) await this.#turns.run(() => this.#protected(() => this.#evaluate()));
  }

  resume(): void {
    if (this.#phase !== 'paused') return;
    this.#phase = 'running';
    this.#loop = this.#run();
  }

  async pause(): Promise<void> {
    if (this.#phase === 'running') this.#phase = 'paused';
    await this.#loop;
    await this.#turns.settled();
  }

  async step(): Promise<void> {
    if (this.#phase !== 'paused') return;
    await this.#turns.run(() => this.#oneStep());
  }

  async stop(): Promise<void> {
    if (this.#phase === 'new') return;
    this.#ending.abort();
    await this.pause();
    // Again when the GPU was lost meanwhile, which takes the run back to its last checkpoint.
    while (this.#phase === 'paused') {
      await this.#turns.run(async () => {
        if (this.#phase === 'paused') await this.#protected(() => this.#finish('stopped'));
      });
    }
    this.#end();
  }

  update(change: LiveConfig): void {
    if (this.#phase !== 'paused' && this.#phase !== 'running') throw new Error('There is no run to change.');
    const { learning_rate, temperature, reward_funcs, reward_weights } = change;
    // Only these may change, whatever else the caller sends along.
    const wanted: LiveConfig = {
      ...(learning_rate !== undefined && { learning_rate }),
      ...(temperature !== undefined && { temperature }),
      ...(reward_funcs !== undefined && { reward_funcs: [...reward_funcs] }),
      ...(reward_weights !== undefined && { reward_weights: [...reward_weights] }),
    };
    refuseProblems({ ...this.#config, ...this.#live, ...wanted });
    this.#live = { ...this.#live, ...wanted };
    this.#emit({ type: 'changed', step: this.#completed, change: wanted });
  }

  async exportModel(): Promise<Map<string, Uint8Array>> {
    return exportCheckpoint(this.#model, await this.#currentCheckpoint());
  }

  /** Shares the session's memory where its sampler can chat; otherwise loads the weights on a device of their own. */
  async openChatModel(weights: WhichWeights): Promise<OpenChatModel> {
    // After a lost GPU there is no session until the turn that makes a new one is over.
    if (this.#begun && !this.hasEnded && !this.#keeper.isOpen) await this.#turns.settled();
    const session = this.#begun && this.#keeper.isOpen ? this.#keeper : null;
    const shared = await session?.use((open) => Promise.resolve(open.chatModel(weights)));
    if (shared) {
      return sharedChatModel(shared, {
        weights,
        keeper: this.#keeper,
        ending: this.#ending.signal,
        turn: (work) => this.#turns.run(() => this.#protected(work)),
      });
    }
    if (!this.#parts.openChatModel) throw new Error('This trainer cannot open its model to chat with.');
    const model =
      weights === 'start'
        ? this.#model
        : modelOfCheckpoint(this.#model, await this.#currentCheckpoint(), `${this.#model.name}, trained`);
    return this.#parts.openChatModel(model);
  }

  /** The current weights and counters; those of the last checkpoint when the run has ended. */
  #currentCheckpoint(): Promise<Uint8Array> {
    return this.#turns.run(async () => {
      if (this.#checkpoint.bytes.length === 0) throw new Error('There is no model to export yet.');
      return this.#keeper.isOpen ? this.#keeper.use((session) => session.checkpoint()) : this.#checkpoint.bytes;
    });
  }

  async #run(): Promise<void> {
    while (this.#phase === 'running') {
      await this.#turns.run(async () => {
        // It may have been paused while it waited for its turn, behind a chat answer for example.
        if (this.#phase === 'running') await this.#oneStep();
      });
    }
  }

  /** One step with what belongs to it. Afterwards the run may have ended, or be back at its last checkpoint. */
  async #oneStep(): Promise<void> {
    if (this.#phase === 'ended') return;
    await this.#protected(async () => {
      // The supervised start may be all there is to a run.
      if (this.#config.max_steps === 0) {
        await this.#finish('max_steps');
        return;
      }
      const step = this.#completed + 1;
      const result = await this.#keeper.use((session) => session.step(step, this.#live));
      this.#completed = step;
      this.#keeper.progressed(step);
      this.#emit({ type: 'step', step, ...result });
      const divergence = describeDivergence(step, result.metrics);
      if (divergence) {
        await this.#fail(divergence);
        return;
      }
      const { eval_steps, max_steps, save_steps } = this.#config;
      const last = step >= max_steps;
      if (eval_steps > 0 && (last || step % eval_steps === 0)) await this.#evaluate();
      if (last) await this.#finish('max_steps');
      else if (step % (save_steps || MEMORY_CHECKPOINT_STEPS) === 0) await this.#takeCheckpoint(save_steps > 0);
    });
  }

  async #evaluate(): Promise<void> {
    const step = this.#completed;
    this.#emit({ type: 'eval', step, ...(await this.#keeper.use((session) => session.evaluate(step))) });
  }

  async #takeCheckpoint(persist: boolean): Promise<void> {
    const step = this.#completed;
    this.#checkpoint = { step, bytes: await this.#keeper.use((session) => session.checkpoint()) };
    if (persist) await this.#persist();
  }

  async #persist(): Promise<void> {
    const { step, bytes } = this.#checkpoint;
    if (!this.#parts.saveCheckpoint || this.#persisted === step) return;
    try {
      await this.#parts.saveCheckpoint(this.#runId, step, bytes, this.#model);
    } catch (error) {
      this.#observer.warning?.(`The checkpoint of step ${step} was not saved. ${messageOf(error)}`);
      return;
    }
    this.#persisted = step;
    this.#emit({ type: 'checkpoint', step, reference: `run:${this.#runId}@${step}` });
  }

  async #finish(reason: 'max_steps' | 'stopped'): Promise<void> {
    await this.#takeCheckpoint(this.#completed > 0 || reason === 'max_steps');
    this.#emit({ type: 'finished', step: this.#completed, reason });
    this.#end();
  }

  /** Runs a part of the run. A lost GPU takes the run back to its last checkpoint; any other error ends it. */
  async #protected(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof DeviceLostError)) {
        await this.#fail(messageOf(error));
        return;
      }
      const { step: resumes_from, bytes } = this.#checkpoint;
      this.#emit({ type: 'interrupted', step: this.#completed, reason: error.message, resumes_from });
      this.#completed = resumes_from;
      try {
        await this.#keeper.reopen(error, bytes);
      } catch (fatal) {
        await this.#fail(messageOf(fatal));
        return;
      }
      // The viewers went back to the checkpoint's settings; the run keeps those of now.
      if (Object.keys(this.#live).length > 0) this.#emit({ type: 'changed', step: resumes_from, change: this.#live });
    }
  }

  #emit(event: RunEvent): void {
    this.#observer.event(event);
  }

  #emitStarted(): void {
    this.#emit({
      type: 'started',
      schema: SCHEMA_VERSION,
      run_id: this.#runId,
      time: new Date().toISOString(),
      config: this.#config,
      model: {
        name: this.#model.name,
        parameters: parameterCount(this.#model.config),
        architecture: this.#model.config.architecture,
        reads_language: readsLanguage(tokenizerOf(this.#model)),
      },
      device: { kind: 'webgpu', description: this.#parts.device() },
      seed: this.#config.seed,
    });
  }

  /** Called while the run starts. */
  #refuseStopped(): void {
    if (this.hasEnded) throw new Error('The run was stopped before it began.');
  }

  #newSession(): Promise<TrainingSession> {
    return this.#parts.openSession(this.#config, this.#model, {
      warning: (message) => this.#observer.warning?.(message),
      status: (status) => this.#observer.status?.(status),
    });
  }

  async #savedCheckpoint({ run_id, step }: Resume): Promise<Uint8Array> {
    const bytes = await this.#parts.loadCheckpoint?.(run_id, step);
    if (!bytes) throw new Error(`The run has no saved checkpoint of step ${step}, so it can't continue from there.`);
    return bytes;
  }

  /** Ends the run for a reason. The last good weights are kept, in a checkpoint of their own if need be. */
  async #fail(reason: string): Promise<void> {
    if (this.#checkpoint.step > 0) await this.#persist();
    this.#emit({ type: 'failed', step: this.#completed, reason });
    this.#end();
  }

  #end(): void {
    this.#phase = 'ended';
    this.#ending.abort();
    // Absent when the start failed before there was a session.
    (this.#keeper as SessionKeeper | undefined)?.close();
  }
}

/** Why a step's numbers mean that the model is lost; null when they are sound. */
function describeDivergence(step: number, metrics: Record<string, number>): string | null {
  const broken = ['loss', 'grad_norm'].find((name) => name in metrics && !Number.isFinite(metrics[name]));
  if (!broken) return null;
  return (
    `${broken} is ${metrics[broken]} at step ${step}: the weights have diverged, and no further step can repair them. ` +
    `Start again with a lower learning rate or a stronger gradient clip.`
  );
}

function refuseProblems(config: RunConfig, context?: number): void {
  const problems = checkConfig(config, context === undefined ? {} : { context });
  if (problems.length > 0) throw new ConfigError(problems.map(({ message }) => message).join('\n'));
}
