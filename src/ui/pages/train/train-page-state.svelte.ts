/**
 * @file The state of the Train page: which run is on it, kept in step with the address. It outlives the page itself, so
 * that a run goes on while the user looks at another page.
 */
import { messageOf } from '../../../base/errors';
import { t } from '../../../i18n';
import type { ProbeResult } from '../../../engine/probe';
import type { ChatModel } from '../../../runs/chat-model';
import { configToParams, defaultRunConfig } from '../../../runs/config';
import type { RunConfig } from '../../../runs/events';
import type { ModelTraits } from '../../../runs/model-capabilities';
import { getPreset, presetConfig } from '../../../runs/presets';
import type { RemoteRunOptions } from '../../../servers/training/sidecar-schema';
import { RunStorage } from '../../../storage/run-storage';
import { frameGuard } from '../../parts/frame-guard.svelte';
import { onModelsChanged } from '../../parts/models-changed';
import { activity } from '../../shell/activity.svelte';
import { router } from '../../shell/router.svelte';
import { serverClient } from '../connect/server-client';
import { servers } from '../connect/device-servers';
import type { Which } from './compare/before-after.svelte';
import { Comparison } from './compare/comparison.svelte';
import { continuationOf, interruptedRun, type Continuation, type InterruptedRun } from './run/continuation';
import { configFromLink, type LinkProblem } from './run/link-config';
import { LocalEngine } from './run/local-engine';
import { RemoteRuns } from './run/remote-runs.svelte';
import { RunLock } from './run/run-lock';
import type { RunActions } from './bar/run-actions';
import type { RunSource } from './run/run-source';
import { RunSaver } from './run/run-saver';
import { TrainSession } from './run/session.svelte';
import { liveSource, openSource, resumedSource, type SourceParts } from './run/sources';
import { RunLocations } from './server/run-locations';
import type { ServerProblem } from './server/server-problems';
import { TrainingServers } from './server/training-servers.svelte';
import { EMBEDDED_MODELS, trainableModels, traitsOfModels } from './settings/trainable-models';

/** What “Train more” adds to a finished run. */
const MORE_STEPS = 100;

type Started = { id: string } | { problems: ServerProblem[] };

class TrainPageState {
  readonly session = new TrainSession();
  /** The GPU of this device; null until it is known. */
  probe = $state.raw<ProbeResult | null>(null);
  /** A problem that doesn't stop the run; empty if there is none. */
  warning = $state('');
  /** The config of the link. */
  linkConfig = $state.raw(defaultRunConfig);
  /** Settings of the link that could not be used. */
  linkProblems = $state.raw<readonly LinkProblem[]>([]);
  /** Whether the user has dismissed the notice that WebGPU runs on the CPU. */
  cpuNoticeDismissed = $state(false);
  /** Config names of the models that training can start from. */
  models = $state.raw(EMBEDDED_MODELS);
  /** The latest run, if it was interrupted. */
  interrupted = $state.raw<InterruptedRun | null>(null);
  /** The id of a run that another tab is training, which was to be resumed here; otherwise empty. */
  runElsewhere = $state('');
  /** What was found out about models whose names don't tell. */
  traits = $state.raw<ReadonlyMap<string, ModelTraits>>(new Map());
  /** The server that the settings sheet is to open with, from a link that names one; otherwise empty. */
  setUpServer = $state('');
  /** The checkpoint of the remote run on the page that was opened on this device. */
  openedCheckpoint = $state.raw<{ model: string; step: number } | null>(null);
  /** The server that the saved run on the page came from; empty if unknown. */
  savedFrom = $state('');

  readonly storage = new RunStorage();
  readonly servers = new TrainingServers(servers, serverClient());
  readonly remote = new RemoteRuns(servers, serverClient(), this.storage, (message) => (this.warning = message));
  readonly comparison = new Comparison({ storage: this.storage });
  readonly #local = new LocalEngine(
    (message) => (this.warning = message),
    (text) => (this.session.loading = text),
  );
  readonly #saver = new RunSaver(this.storage, (message) => (this.warning = message));
  readonly #locations = new RunLocations();
  readonly #lock = new RunLock({ stop: (id) => this.#leaveToOtherTab(id) });
  readonly #parts: SourceParts = {
    local: () => this.#local.createTrainer(),
    storage: this.storage,
    keep: (event) => {
      this.#saver.add(event);
      // Nobody else can have the run that has just begun here, and the lock of one that is resumed is here already.
      if (event.type === 'started') void this.#lock.acquire(event.run_id);
      if (event.type === 'finished' || event.type === 'failed') void this.#endRun();
    },
    server: (url) => this.remote.server(url),
    keepRemote: (id, stored) => this.remote.save(id, stored),
  };
  /** The ended run on the page with its latest checkpoint, if it has one. */
  #continuation = $state.raw<Continuation | null>(null);
  /** The query that the run on the page was opened from. */
  #openedQuery: string | null = null;

  constructor() {
    addEventListener('pagehide', () => {
      void this.#saver.flush();
      void this.remote.flush();
    });
    onModelsChanged(() => void this.#refreshModels());
    // A saved run, a recording and a remote run lose nothing by a reload.
    const busy = () => {
      const { source, status } = this.session;
      return source?.kind === 'live' && !source.remote && /^(running|working)$/.test(status);
    };
    $effect.root(() => {
      $effect(() => (busy() ? activity.begin(t('train:notices.activity')) : undefined));
    });
  }

  /** Why this device can't train; null if it can or while that isn't known. */
  get unavailable(): Extract<ProbeResult, { available: false }> | null {
    return this.probe && !this.probe.available ? this.probe : null;
  }

  /** Whether WebGPU runs on the CPU. */
  get onCpu(): boolean {
    return this.probe?.available === true && this.probe.software;
  }

  /** Continues the ended run on the page; null if it can't be continued on this device. */
  get trainMore(): RunActions['trainMore'] {
    const continuation = this.#continuation;
    if (!continuation || this.session.status !== 'ended' || !this.probe?.available) return null;
    const left = continuation.run.config.max_steps - continuation.checkpoint;
    const steps = left > 0 ? left : MORE_STEPS;
    return { steps, start: () => void this.#continueRun(continuation, continuation.checkpoint + steps) };
  }

  /** Puts the run on the page that the address names, unless it is there already. */
  async open(params: URLSearchParams): Promise<void> {
    if (this.#openedQuery === params.toString()) return;
    if (params.has('server') && !params.has('run')) {
      await this.servers.load();
      this.setUpServer = params.get('server')!;
      router.replaceParams(new URLSearchParams(this.#openedQuery ?? ''));
      return this.open(router.route.params);
    }
    if (params.size === 0 && this.#openedQuery !== null) {
      // Back from another page by the plain link: the run is still here.
      router.replaceParams(new URLSearchParams(this.#openedQuery));
      return;
    }
    const atLoad = this.#openedQuery === null && this.remote.problem === null;
    const query = (this.#openedQuery = params.toString());
    this.session.error = '';
    this.remote.problem = null;
    ({ config: this.linkConfig, problems: this.linkProblems } = configFromLink(params));
    if (params.has('server')) return this.#openRemote(params, query, atLoad);
    try {
      const [source, probe] = await Promise.all([openSource(params, this.#parts), this.#probeOnce()]);
      if (this.#openedQuery !== query) return;
      // The list must not wait until a model is on the GPU.
      void this.#refreshModels();
      if (source.kind !== 'live' || probe.available) {
        const small = params.size === 0 && probe.available && probe.software;
        await this.#prepareAlone(small ? this.#smallSource() : source);
      }
      await this.#refreshStored();
    } catch (error) {
      if (this.#openedQuery === query) this.session.error = messageOf(error);
    }
  }

  /** Starts a live run on this device. */
  begin(config: RunConfig): Promise<void> {
    this.linkProblems = [];
    return this.#prepare(liveSource(config, this.#parts), 'push');
  }

  /** Opens the run of the address again, after a problem was solved. */
  async retry(): Promise<void> {
    this.#openedQuery = null;
    await this.open(router.route.params);
  }

  /** Stores the key of the run's server and tries again. */
  async saveKey(url: string, secret: string, keep: boolean): Promise<void> {
    if (frameGuard.refuses()) return;
    try {
      if (await this.remote.saveKey(url, secret, keep)) await this.retry();
    } catch (error) {
      this.session.error = messageOf(error);
    }
  }

  /** Starts a run on the server that is chosen in the settings. @returns what the server refuses; empty if it started */
  async startRemote(config: RunConfig, options: RemoteRunOptions): Promise<ServerProblem[]> {
    const url = this.servers.chosen?.record.url ?? '';
    return this.#openStarted(url, await this.servers.start(config, options));
  }

  /** Starts the run again from its beginning: a remote one on its server, any other one here. */
  async reset(): Promise<void> {
    const { remote } = this.session.source ?? {};
    const { config } = this.session;
    if (remote && config) {
      const { sidecar, options, url } = remote;
      const problems = await this.#openStarted(url, await this.servers.startOn(sidecar, config, options));
      if (problems.length > 0) this.session.error = problems.map(({ message }) => message).join('\n');
      return;
    }
    const source = this.session.again();
    if (source) await this.#prepare(source);
  }

  /** Bytes of GPU memory that a run needs, by what they are for. @throws Error for the user when it doesn't fit */
  planRun(config: RunConfig): Promise<Record<string, number>> {
    return this.#local.planRun(config);
  }

  /** The model before training or the current one. @throws Error for the user if there is none */
  async chatModel(which: Which): Promise<ChatModel & { close?: () => void }> {
    const { config, remote } = this.session.source ?? {};
    const own = remote ? null : await this.#local.openRunModel(which === 'before' ? 'start' : 'current');
    if (own) return own;
    if (which === 'before' && config) return this.#local.openModel(config.model);
    if (remote && this.openedCheckpoint) return this.#local.openModel(this.openedCheckpoint.model);
    throw new Error(t('train:beforeAfter.noModel'));
  }

  /** Looks for a checkpoint from which the run on the page could continue, now that it has ended. */
  async #findContinuation(): Promise<void> {
    const { source, run } = this.session;
    // The run's last events and its last checkpoint may still be on their way to the storage.
    await this.#saver.flush();
    run.flush();
    const { started, phase } = run.view;
    const found =
      started && phase !== 'failed' ? await continuationOf(this.storage, started.run_id).catch(() => null) : null;
    if (this.session.source === source) this.#continuation = found;
  }

  async #continueRun({ run, checkpoint }: Continuation, maxSteps: number): Promise<void> {
    try {
      const source = resumedSource(await this.storage.events(run.id), checkpoint, this.#parts, maxSteps);
      const params = new URLSearchParams({ run: run.id, resume: String(checkpoint) });
      this.#openedQuery = params.toString();
      if (router.route.page === 'train') router.replaceParams(params);
      if (await this.#prepareAlone(source)) await this.session.play();
    } catch (error) {
      this.session.error = messageOf(error);
    }
  }

  /** Resumes the run that another tab is training here, from its last checkpoint. */
  async takeOver(): Promise<void> {
    const id = this.runElsewhere;
    if (id === '') return;
    try {
      await this.#lock.takeOver(id);
      const found = await continuationOf(this.storage, id);
      if (!found) throw new Error(t('train:notices.nothingToResume'));
      router.replaceParams(new URLSearchParams({ run: id, resume: String(found.checkpoint) }));
      await this.retry();
    } catch (error) {
      this.session.error = messageOf(error);
    }
  }

  /** Another tab goes on with the run on this page. */
  async #leaveToOtherTab(id: string): Promise<void> {
    const { run, source } = this.session;
    run.flush();
    if (source?.remote || run.view.started?.run_id !== id) return;
    await this.session.abandon(t('train:notices.takenOver'));
    await this.#saver.flush();
  }

  /** When a run has ended, another tab may train it further. */
  async #endRun(): Promise<void> {
    const ended = this.#lock.held;
    await this.#findContinuation();
    await this.#lock.release(ended);
  }

  /** As `#prepare`; but a run that another tab is training is only shown as far as it is saved. @returns whether it was prepared */
  async #prepareAlone(source: RunSource): Promise<boolean> {
    const id = source.remote ? undefined : source.resume?.run_id;
    if (id === undefined || (await this.#lock.acquire(id))) {
      await this.#prepare(source);
      return true;
    }
    await this.#prepare(await openSource(new URLSearchParams({ run: id }), this.#parts));
    this.runElsewhere = id;
    return false;
  }

  /** @param history what becomes of the address of the run before: Back returns to it, or it is replaced */
  async #prepare(source: RunSource, history: 'push' | 'replace' = 'replace'): Promise<void> {
    this.warning = this.runElsewhere = '';
    const before = this.#lock.held.filter((id) => id !== source.resume?.run_id);
    this.#continuation = this.interrupted = this.openedCheckpoint = this.remote.problem = null;
    this.savedFrom = (source.kind === 'saved' && this.#locations.of(router.route.params.get('run') ?? '')) || '';
    if (!source.remote) void this.remote.stopSaving();
    if (source.kind === 'live' && !source.resume) {
      const params = configToParams(source.config);
      this.#openedQuery = params.toString();
      if (router.route.page === 'train') router[`${history}Params`](params);
    }
    await this.session.prepare(source);
    await this.#saver.flush();
    await this.#lock.release(before);
    if (source.kind === 'saved' && this.session.source === source) await this.#findContinuation();
  }

  async #openStarted(url: string, started: Started): Promise<ServerProblem[]> {
    if ('problems' in started) return started.problems;
    const params = new URLSearchParams({ server: url, run: started.id });
    // If the user has gone to another page meanwhile, the run waits here.
    if (router.route.page === 'train') router.pushParams(params);
    void this.open(params);
    return [];
  }

  /** Opens a run on a server, for which this device needs no GPU. */
  async #openRemote(params: URLSearchParams, query: string, atLoad: boolean): Promise<void> {
    const url = params.get('server')!;
    this.#probeOnce().catch(() => {});
    try {
      this.remote.problem = atLoad ? await this.remote.permissionProblem(url) : null;
      if (this.remote.problem) return;
      const source = await openSource(params, this.#parts);
      if (this.#openedQuery !== query) return;
      this.#locations.note(params.get('run')!, url);
      await this.#prepare(source);
      await this.#refreshStored();
    } catch (error) {
      if (this.#openedQuery !== query) return;
      const problem = await this.remote.explain(url, error);
      if (this.#openedQuery === query) this.remote.problem = problem;
    }
  }

  /** A batch that a CPU can compute, for a link without settings. */
  #smallSource(): RunSource {
    return liveSource(presetConfig(getPreset('small')!), this.#parts);
  }

  async #probeOnce(): Promise<ProbeResult> {
    return (this.probe = await this.#local.probe());
  }

  async #refreshModels(): Promise<void> {
    this.models = await trainableModels(this.storage, () =>
      this.probe?.available ? this.#local.downloadedModels() : Promise.resolve([]),
    );
    this.traits = await traitsOfModels(this.models, (model) => this.#local.describeModel(model));
  }

  /** Looks up what is stored on this device: models to start from, and an interrupted run. */
  async #refreshStored(): Promise<void> {
    await this.servers.load();
    await this.#refreshModels();
    try {
      const { source, run } = this.session;
      const fresh = source?.kind === 'live' && !source.resume && !source.remote;
      const found = fresh ? await interruptedRun(this.storage, run.view.started?.run_id) : null;
      // One that another tab is training was not interrupted.
      this.interrupted = found && (await this.#lock.isHeld(found.run.id)) ? null : found;
    } catch {
      // Private windows have no storage, and training needs none.
    }
  }
}

export const trainPage = new TrainPageState();
