/**
 * @file The one run of the page and all that it lives with: engine, storage, address. It outlives the Train page, so
 * that a run goes on while its reader looks at another page.
 */
import { messageOf } from '../../../base/errors';
import { addressSpace, thisPage } from '../../../servers/diagnose';
import { quoted, RemoteError } from '../../../servers/errors';
import { TRAINING, type AnyServer } from '../../../servers/server';
import type { RemoteRunOptions } from '../../../servers/training/sidecar';
import { configFromParams, configToParams } from '../../../runs/config';
import type { RunConfig, RunEvent } from '../../../runs/events';
import type { PrepareProgress } from '../../../engine/load-options';
import type { ChatModel } from '../../../runs/chat-model';
import { getPreset, presetConfig } from '../../../runs/presets';
import { RunStorage, type SavedRun } from '../../../storage/run-storage';
import { engine, type LocalEngineTrainer } from '../../../worker/client';
import type { ProbeResult } from '../../../engine/probe';
import { askingFrom } from '../connect/asking';
import type { Finding } from '../connect/connect-state.svelte';
import { servers } from '../connect/room';
import { activity } from '../../shell/activity.svelte';
import { router } from '../../shell/router.svelte';
import { Comparison } from './compare/comparison.svelte';
import type { Which } from './compare/before-after.svelte';
import { hold } from './run/tab-lock';
import { RunKeeper } from './run/run-keeper';
import { TrainSession, type RunSource } from './run/session.svelte';
import type { ServerProblem } from './server/server-problems';
import { liveSource, openSource, SOURCE_PARAMS, type SourceParts } from './run/sources';
import { TrainingServers } from './server/training-servers.svelte';
import { Whereabouts } from './server/run-locations';

const EMBEDDED_MODELS = ['tinythink-1m'];

/** Why the run that the address names can't be watched. */
export interface Trouble {
  /** Of the server. */
  url: string;
  finding: Finding;
  /** The server is among those of the Connect page. */
  known: boolean;
  /** It wants a key, or another one. */
  key: boolean;
}

const WATCH_IT: Finding = {
  title: 'A run on a server',
  text: 'The browser will ask whether this page may use the local network: the server is there.',
  remedies: [],
};

class TrainRoom {
  readonly session = new TrainSession();
  /** For setting up a run on one of them. */
  readonly servers = new TrainingServers(servers, askingFrom());
  /** What computes here; null until it is known. */
  probe = $state.raw<ProbeResult | null>(null);
  /** What went wrong without stopping the run; empty if nothing did. */
  warning = $state('');
  /** Settings of the address that could not be used. */
  linkProblems = $state.raw<readonly { param: string; message: string }[]>([]);
  models = $state.raw<readonly string[]>(EMBEDDED_MODELS);
  /** A run that was broken off, by a reload for example, and can be gone on with. */
  unfinished = $state.raw<{ run: SavedRun; checkpoint: number } | null>(null);
  trouble = $state.raw<Trouble | null>(null);
  /** The server whose runs the sheet shall set up, from an address that names it; empty if none does. */
  wanted = $state('');
  /** A checkpoint of the run on the page, opened here. */
  opened = $state.raw<{ model: string; step: number } | null>(null);
  /** On which server the saved run on the page lives; empty where it isn't known. */
  lives = $state('');

  readonly storage = new RunStorage();
  readonly comparison = new Comparison({ storage: this.storage });
  readonly #keeper = new RunKeeper(this.storage, (message) => (this.warning = message));
  readonly #parts: SourceParts = {
    local: () => this.#localTrainer(),
    storage: this.storage,
    keep: (event) => this.#keeper.keep(event),
    server: (url) => this.#server(url),
    keepElsewhere: (id, stored) => this.#keepElsewhere(id, stored),
  };
  readonly #whereabouts = new Whereabouts();
  /** Of the run elsewhere that this tab keeps, and what lets other tabs keep it. */
  #distant: { keeper: RunKeeper; release: () => Promise<void> } | null = null;
  #trainer: LocalEngineTrainer | null = null;
  /** The query that the run on the page was opened from. */
  #opened: string | null = null;

  constructor() {
    addEventListener('pagehide', () => {
      void this.#keeper.flush();
      void this.#distant?.keeper.flush();
    });
    // A saved run, a recording that plays, and a run that goes on elsewhere lose nothing by a reload.
    const working = () => {
      const { source, status } = this.session;
      return source?.kind === 'live' && !source.elsewhere && /^(running|working)$/.test(status);
    };
    $effect.root(() => {
      $effect(() => (working() ? activity.begin('the training run') : undefined));
    });
  }

  /** Puts the run on the page that the address names, unless it is there already. */
  async open(params: URLSearchParams): Promise<void> {
    if (this.#opened === params.toString()) return;
    if (params.has('server') && !params.has('run')) {
      // A server without a run: one is to be set up there.
      await this.servers.load();
      this.wanted = params.get('server')!;
      router.replaceParams(new URLSearchParams(this.#opened ?? ''));
      return this.open(router.route.params);
    }
    if (params.size === 0 && this.#opened !== null) {
      // Back from another page by its plain link: the run is still here.
      router.replaceParams(new URLSearchParams(this.#opened));
      return;
    }
    const atLoad = this.#opened === null && this.trouble === null;
    const key = (this.#opened = params.toString());
    this.session.error = '';
    this.trouble = null;
    this.linkProblems = configFromParams(params, SOURCE_PARAMS).problems;
    try {
      if (params.has('server')) {
        await this.#openElsewhere(params, key, atLoad);
        return;
      }
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

  /** Takes up the run of the address again, after what kept it from being watched. */
  async retry(): Promise<void> {
    this.#opened = null;
    await this.open(router.route.params);
  }

  /** Gives the server of the run its key, and tries again. */
  async giveKey(url: string, secret: string, keep: boolean): Promise<void> {
    const record = (await servers.list()).find((each) => each.kind === TRAINING && each.url === url);
    if (!record) return;
    try {
      await servers.save(record, { secret, keep });
      await this.retry();
    } catch (error) {
      this.session.error = messageOf(error);
    }
  }

  /** Starts a run on the server that the sheet has chosen. @returns what the server doesn't take; nothing when it began */
  async beginElsewhere(config: RunConfig, options: RemoteRunOptions): Promise<ServerProblem[]> {
    const url = this.servers.chosen?.record.url ?? '';
    return this.#started(url, await this.servers.start(config, options));
  }

  /** Back to the same start; a saved run is trained anew, one on a server is made anew there. */
  async reset(): Promise<void> {
    const { elsewhere } = this.session.source ?? {};
    const config = this.session.config;
    if (elsewhere && config) {
      const { sidecar, options, url } = elsewhere;
      const problems = await this.#started(url, await this.servers.startOn(sidecar, config, options));
      if (problems.length > 0) this.session.error = problems.map(({ message }) => message).join('\n');
      return;
    }
    const source = this.session.again();
    if (source) await this.#prepare(source);
  }

  /** The model before training and the model now. @throws Error for the reader, when there is none to ask */
  async policy(which: Which): Promise<ChatModel & { close?: () => void }> {
    const { config, elsewhere } = this.session.source ?? {};
    if (elsewhere && which === 'after' && this.opened) return engine().openChatModel(this.opened.model);
    if (which === 'before' && config) return engine().openChatModel(config.model);
    if (which === 'after' && this.#trainer) return this.#trainer.currentChatModel();
    throw new Error('There is no model here to ask.');
  }

  #prepare(source: RunSource): Promise<void> {
    this.warning = '';
    this.unfinished = this.opened = this.trouble = null;
    this.lives = (source.kind === 'saved' && this.#whereabouts.of(router.route.params.get('run') ?? '')) || '';
    if (!source.elsewhere) void this.#letGo();
    if (source.kind === 'live' && !source.resume) {
      const params = configToParams(source.config);
      this.#opened = params.toString();
      if (router.route.page === 'train') router.replaceParams(params);
    }
    return this.session.prepare(source);
  }

  async #started(url: string, made: { id: string } | { problems: ServerProblem[] }): Promise<ServerProblem[]> {
    if ('problems' in made) return made.problems;
    const params = new URLSearchParams({ server: url, run: made.id });
    // On another page by now, the reader finds it when coming back.
    if (router.route.page === 'train') router.replaceParams(params);
    void this.open(params);
    return [];
  }

  /** Whatever computes here doesn't matter to it. */
  async #openElsewhere(params: URLSearchParams, key: string, atLoad: boolean): Promise<void> {
    const url = params.get('server')!;
    this.#probeOnce().catch(() => {});
    try {
      if (atLoad && (await this.#wouldAsk(url))) {
        this.trouble = { url, finding: WATCH_IT, known: true, key: false };
        return;
      }
      const source = await openSource(params, this.#parts);
      if (this.#opened !== key) return;
      this.#whereabouts.note(params.get('run')!, url);
      await this.#prepare(source);
      await this.#lookAround();
    } catch (error) {
      if (this.#opened === key) await this.#explain(url, error);
    }
  }

  /** Whether the browser would put a question to the reader, which only a click may lead to. */
  async #wouldAsk(url: string): Promise<boolean> {
    const page = thisPage();
    const space = addressSpace(new URL(url).hostname);
    if (space === 'public' || addressSpace(location.hostname) !== 'public') return false;
    const names = [space === 'loopback' ? 'loopback-network' : 'local-network', 'local-network-access'];
    return (await Promise.all(names.map((name) => page.permission(name)))).includes('prompt');
  }

  async #explain(url: string, error: unknown): Promise<void> {
    const record = (await servers.list().catch(() => [])).find((each) => each.kind === TRAINING && each.url === url);
    const key = record !== undefined && error instanceof RemoteError && error.code === 'auth';
    const title = key ? 'Its server asks for the key' : 'This run can’t be watched';
    const plain: Finding = { title, text: messageOf(error), remedies: [] };
    const unreached = error instanceof RemoteError && (error.code === 'unreachable' || error.code === 'stalled');
    const finding =
      record && unreached
        ? await askingFrom().diagnose(await servers.open(record), error, new AbortController().signal)
        : plain;
    this.trouble = { url, finding, known: record !== undefined, key };
  }

  async #server(url: string): Promise<AnyServer> {
    const record = (await servers.list()).find((each) => each.kind === TRAINING && each.url === url);
    if (!record) {
      throw new Error(
        `The run is on ${quoted(url)}, which is not among the servers of the Connect page. Add it there first.`,
      );
    }
    return servers.open(record);
  }

  /** One tab keeps a run; the others only show it. */
  async #keepElsewhere(id: string, stored: number): Promise<((event: RunEvent) => void) | null> {
    await this.#letGo();
    const release = await hold(`tinythink:keep:${id}`);
    if (!release) return null;
    const keeper = new RunKeeper(this.storage, (message) => (this.warning = message), stored > 0 ? id : null);
    this.#distant = { keeper, release };
    return (event) => keeper.keep(event);
  }

  async #letGo(): Promise<void> {
    const distant = this.#distant;
    this.#distant = null;
    await distant?.keeper.flush();
    await distant?.release();
  }

  /** Without wishes in the address, a batch that a processor can do. */
  #smallSource(): RunSource {
    return liveSource(presetConfig(getPreset('small')!), this.#parts);
  }

  #localTrainer(): LocalEngineTrainer {
    this.#trainer = engine().createTrainer(
      (message) => (this.warning = message),
      (progress) => (this.session.loading = describePreparation(progress)),
    );
    return this.#trainer;
  }

  async #probeOnce(): Promise<ProbeResult> {
    this.probe ??= await engine().probe();
    return this.probe;
  }

  /** What is stored here: models to start from, and the newest run if it was broken off. Its failure is no one's loss. */
  async #lookAround(): Promise<void> {
    await this.servers.load();
    try {
      const imported = await this.storage.modelNames();
      // Without a store, the others are there.
      const stored = this.probe?.available
        ? await engine()
            .storedModels()
            .catch(() => [])
        : [];
      const adaptable = stored.filter(({ complete }) => complete).map(({ id }) => `store:${id}`);
      this.models = [...EMBEDDED_MODELS, ...imported.map((name) => `file:${name}`), ...adaptable];
      const current = this.session.run.view.started?.run_id;
      const newest = (await this.storage.list()).find((run) => run.id !== current);
      const steps = newest?.status === 'open' ? await this.storage.checkpointSteps(newest.id) : [];
      const checkpoint = steps.at(-1);
      const { source } = this.session;
      const fresh = source?.kind === 'live' && !source.resume && !source.elsewhere;
      if (newest && checkpoint && fresh) {
        this.unfinished = { run: newest, checkpoint };
      }
    } catch {
      // Private windows have no storage; training needs none.
    }
  }
}

/** What goes on before the first step, in a few words. */
function describePreparation(progress: PrepareProgress): string {
  if ('update' in progress) {
    const { update, updates } = progress;
    return update < updates ? `cold start, update ${update} of ${updates}` : 'testing the model …';
  }
  const megabytes = (count: number) => Math.ceil(count / 1e6);
  const { bytes, total } = progress;
  return bytes < total
    ? `loading weights, ${megabytes(bytes)} of ${megabytes(total)} MB`
    : 'preparing and testing the model …';
}

export const room = new TrainRoom();
