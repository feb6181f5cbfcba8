/** @file Runs on GPU servers on the Train page: opening, controlling, saving and comparing them. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RemoteError } from '../../../../src/servers/errors';
import { ServerKey } from '../../../../src/servers/key';
import type { AnyServer } from '../../../../src/servers/server';
import type { SidecarInfo } from '../../../../src/servers/training/sidecar-schema';
import { defaultRunConfig } from '../../../../src/runs/config';
import type { RunEvent } from '../../../../src/runs/events';
import { RunStorage } from '../../../../src/storage/run-storage';
import type { RunObserver, RunStatus, Trainer } from '../../../../src/runs/trainer';
import { Comparison, differences } from '../../../../src/ui/pages/train/compare/comparison.svelte';
import { remoteRunSource } from '../../../../src/ui/pages/train/server/remote-run-source';
import { acquireTabLock, type Locks } from '../../../../src/ui/pages/train/run/tab-lock';
import {
  checkRemote,
  configFor,
  notOffered,
  optionsFor,
  remoteFields,
} from '../../../../src/ui/pages/train/server/remote-fields';
import { RunSaver } from '../../../../src/ui/pages/train/run/run-saver';
import { emptyRun, lastStep, reduceAll } from '../../../../src/ui/pages/train/run/run-view';
import { problemsOf } from '../../../../src/ui/pages/train/server/server-problems';
import type { RunSource } from '../../../../src/ui/pages/train/run/run-source';
import { TrainSession } from '../../../../src/ui/pages/train/run/session.svelte';
import { RunLocations } from '../../../../src/ui/pages/train/server/run-locations';
import { startFaultServer, type FaultServer, type Script } from '../../../support/fault-server';
import { fixtureConfig, syntheticRun } from './fixture';

const ID = '0123456789abcdef';
const TOKEN = 'correct-horse-battery-staple';
const made = [...syntheticRun({ num_prompts: 2, num_generations: 4, eval_steps: 0, save_steps: 2 }, 4)].map(
  (event): RunEvent => (event.type === 'started' ? { ...event, run_id: ID } : event),
);

beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', () => 1);
  vi.stubGlobal('cancelAnimationFrame', () => {});
});
afterEach(() => vi.unstubAllGlobals());

describe('a remote run', () => {
  let server: FaultServer | undefined;
  let requests: string[] = [];
  afterEach(() => server?.close());

  const json = (value: unknown): Script => ({ body: [JSON.stringify(value)] });
  /** A sidecar with one paused run, all of whose events are there. */
  async function sidecar(): Promise<AnyServer> {
    requests = [];
    server = await startFaultServer(({ method, path, headers }) => {
      requests.push(`${method} ${path.split('/').slice(2).join('/')} ${headers['last-event-id'] ?? ''}`.trim());
      const standing = { state: 'paused', step: 4, seq: 0 };
      if (!path.endsWith('/events')) {
        return json({ id: ID, created: 1, ...standing, events: made.length, config: fixtureConfig, remote: {} });
      }
      const after = Number(headers['last-event-id'] ?? 0);
      const events = made
        .slice(after)
        .map((event, i) => `id: ${after + i + 1}\nevent: run\ndata: ${JSON.stringify(event)}\n\n`);
      const state = `event: state\ndata: ${JSON.stringify(standing)}\n\n`;
      return { headers: { 'Content-Type': 'text/event-stream' }, body: [...events, state], ending: 'hold' };
    });
    const { url } = server;
    return { kind: 'tinythink-remote', url, label: 'box', key: new ServerKey(url, TOKEN) };
  }

  it('is shown and saved completely, and switching away sends the server no command', async () => {
    const kept: RunEvent[] = [];
    const keep = vi.fn(() => Promise.resolve((event: RunEvent) => void kept.push(event)));
    const source = await remoteRunSource(await sidecar(), ID, { storage: new RunStorage('e1'), keep });
    expect(keep).toHaveBeenCalledWith(ID, 0);
    const session = new TrainSession();
    await session.prepare(source);
    session.run.flush();
    expect([session.status, lastStep(session.run.view)]).toEqual(['paused', 4]);
    expect(kept).toHaveLength(made.length);
    await session.prepare({ kind: 'saved', config: defaultRunConfig, make: () => Promise.reject(new Error('none')) });
    expect(requests.some((each) => each.startsWith('POST'))).toBe(false);
  });

  it('fetches only the events that are not stored here', async () => {
    const storage = new RunStorage('e2');
    await storage.importRun(made.slice(0, 3));
    const kept: RunEvent[] = [];
    const keep = vi.fn(() => Promise.resolve((event: RunEvent) => void kept.push(event)));
    const source = await remoteRunSource(await sidecar(), ID, { storage, keep });
    expect(keep).toHaveBeenCalledWith(ID, 3);
    const session = new TrainSession();
    await session.prepare(source);
    session.run.flush();
    expect(lastStep(session.run.view)).toBe(4);
    expect(kept).toEqual(made.slice(3));
    expect(requests).toContain(`GET ${ID}/events 3`);
    await session.prepare({ kind: 'saved', config: defaultRunConfig, make: () => Promise.reject(new Error('none')) });
  });

  it('is fetched completely when the stored events are not its beginning', async () => {
    const storage = new RunStorage('e3');
    await storage.importRun([made[0]!, { type: 'failed', step: 0, reason: 'another run' }]);
    const keep = vi.fn(() => Promise.resolve(null));
    const source = await remoteRunSource(await sidecar(), ID, { storage, keep });
    expect(keep).toHaveBeenCalledWith(ID, 0);
    // Another tab saves it.
    expect(source.listen).toBeUndefined();
  });
});

describe('a session that watches a remote run', () => {
  /** A remote run whose trainer records its calls and fails the one named in `state.failing`. */
  function remoteRun() {
    const calls: string[] = [];
    const state: { observer?: RunObserver; failing?: string } = {};
    const report = (now: Extract<RunStatus, { kind: 'remote' }>['state']) =>
      state.observer!.status!({ kind: 'remote', state: now, step: 0 });
    const call = (name: string): Promise<void> => {
      calls.push(name);
      return state.failing === name ? Promise.reject(new Error(`${name} is lost`)) : Promise.resolve();
    };
    const trainer: Trainer = {
      start: (_, observer) => {
        state.observer = observer;
        return call('start');
      },
      resume: () => call('resume'),
      pause: () => call('pause'),
      step: () => call('step'),
      stop: () => call('stop'),
      update: () => call('update'),
      exportModel: () => Promise.resolve(new Map()),
      detach: () => void call('detach'),
    };
    const source: RunSource = {
      kind: 'live',
      config: fixtureConfig,
      make: () => trainer,
      remote: { sidecar: null!, label: 'box', url: 'http://box', id: ID, options: {} },
    };
    return { calls, state, report, source };
  }

  it('shows the status that the server reports', async () => {
    const { report, source } = remoteRun();
    const session = new TrainSession();
    await session.prepare(source);
    expect(session.status).toBe('preparing');
    const shown = (['starting', 'running', 'paused', 'finished', 'stopped', 'failed'] as const).map((now) => {
      report(now);
      return session.status;
    });
    expect(shown).toEqual(['preparing', 'running', 'paused', 'ended', 'ended', 'ended']);
  });

  it('keeps the status when a command does not reach the server', async () => {
    const { state, report, source } = remoteRun();
    const session = new TrainSession();
    await session.prepare(source);
    report('running');
    state.failing = 'pause';
    await session.pause();
    expect([session.status, session.error]).toEqual(['running', 'pause is lost']);
    state.failing = '';
    await session.pause();
    expect(session.error).toBe('');
  });

  it('detaches from the run, without stopping it, when another one is opened', async () => {
    const { calls, state, report, source } = remoteRun();
    const session = new TrainSession();
    await session.prepare(source);
    report('running');
    await session.prepare(remoteRun().source);
    expect(calls).toEqual(['start', 'detach']);
    report('paused');
    state.observer!.disconnected!('gone');
    expect([session.status, session.connection]).toEqual(['preparing', '']);
  });

  it('reports a broken connection, and when it is lost for good', async () => {
    const { state, report, source } = remoteRun();
    const session = new TrainSession();
    await session.prepare(source);
    report('running');
    state.observer!.disconnected!('The run goes on there; trying again.');
    expect([session.status, session.connection]).toEqual(['running', 'The run goes on there; trying again.']);
    state.observer!.disconnected!(null);
    state.observer!.lost!(new Error('asks for a key'));
    expect([session.status, session.lost, session.error]).toEqual(['ended', true, 'asks for a key']);
  });

  it('stops the run only on request', async () => {
    const { calls, report, source } = remoteRun();
    const session = new TrainSession();
    await session.prepare(source);
    report('paused');
    await session.stop();
    expect(calls).toEqual(['start', 'stop']);
  });
});

describe('the options that a server offers', () => {
  const info: SidecarInfo = {
    name: 'tinythink-remote',
    version: '0.1.0',
    models: ['tinythink-1m'],
    hub: [],
    tasks: ['sum'],
    rewards: ['accuracy'],
    gpus: 2,
    vllm: false,
    deepspeed: true,
    peft: true,
  };
  const keys = (change: Partial<SidecarInfo>, options = {}) =>
    remoteFields({ ...info, ...change }, options).map(({ key }) => key);

  it('are the only ones in the form', () => {
    expect(keys({ gpus: 0, peft: false })).not.toEqual(expect.arrayContaining(['lora']));
    expect(keys({})).toEqual(expect.arrayContaining(['lora', 'precision', 'num_processes']));
    expect(keys({})).not.toContain('use_vllm');
    expect(keys({}, { num_processes: 2 })).toContain('sharding');
    expect(keys({}, { lora: { r: 8 } })).toContain('lora.r');
    expect(notOffered({ ...info, peft: false }).join()).toContain('PEFT');
  });

  it('are the only ones that are sent', () => {
    const options = { num_processes: 2, lora: { r: 8 }, precision: 'bf16', use_vllm: false } as const;
    expect(optionsFor(info, options)).toEqual({
      launcher: 'accelerate',
      num_processes: 2,
      sharding: 'zero3',
      lora: { r: 8 },
      precision: 'bf16',
    });
    expect(optionsFor({ ...info, gpus: 0, peft: false }, options)).toEqual({});
    expect(Object.keys(configFor(defaultRunConfig)).filter((key) => /cold_start|lora/.test(key))).toEqual([]);
  });

  it('must divide the batch evenly', () => {
    const config = { ...defaultRunConfig, num_prompts: 3, num_generations: 3 };
    expect(checkRemote(config, info, { num_processes: 2 })).toMatchObject([{ field: 'num_processes' }]);
    expect(checkRemote(config, info, { per_device_train_batch_size: 2 })).toMatchObject([
      { field: 'per_device_train_batch_size' },
    ]);
    expect(checkRemote(config, info, { per_device_train_batch_size: 3 })).toEqual([]);
    expect(checkRemote(config, info, { lora: { r: 0 } })).toMatchObject([{ field: 'lora.r' }]);
  });
});

describe('problems that a server reports', () => {
  it('are assigned to the settings that they concern', () => {
    const fields = [
      { field: 'config.learning_rate', message: 'Input should be less than 1' },
      { field: 'remote.lora.r', message: 'must be whole' },
      { field: 'config', message: 'contains a setting that this server doesn’t know' },
      { field: '', message: 'the file isn’t UTF-8 text.' },
    ];
    expect(problemsOf(new RemoteError('request', 'box does not accept this request.', 422, fields))).toEqual([
      { field: 'learning_rate', message: 'Input should be less than 1.' },
      { field: 'lora.r', message: 'Must be whole.' },
      { field: '*', message: 'Contains a setting that this server doesn’t know.' },
      { field: '*', message: 'The file isn’t UTF-8 text.' },
    ]);
    expect(problemsOf(new RemoteError('unreachable', 'gone'))).toEqual([{ field: '*', message: 'gone' }]);
  });
});

describe('saving a remote run', () => {
  it('appends to the stored events', async () => {
    const storage = new RunStorage('keep');
    await storage.importRun(made.slice(0, 3));
    const saver = new RunSaver(storage, () => {}, ID);
    for (const event of made.slice(3)) saver.add(event);
    await saver.flush();
    expect(await storage.events(ID)).toEqual(made);
  });

  it('is done by one tab at a time', async () => {
    const held = new Set<string>();
    const locks = {
      request: async (name: string, _: unknown, work: (lock: unknown) => unknown) => {
        if (held.has(name)) return work(null);
        held.add(name);
        await work({});
        held.delete(name);
      },
    } as unknown as Locks;
    const release = await acquireTabLock('run', locks);
    expect(await acquireTabLock('run', locks)).toBeNull();
    await release!();
    expect(await acquireTabLock('run', locks)).not.toBeNull();
  });

  it('remembers the servers of the latest runs', () => {
    const items = new Map<string, string>();
    const storage = {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
    };
    const where = new RunLocations(storage);
    for (let i = 0; i < 250; i++) where.note(`run${i}`, `http://box:${i}`);
    expect([where.of('run249'), where.of('run0'), where.of('toString')]).toEqual(['http://box:249', null, null]);
    items.set('tinythink:run-locations', '[');
    expect(where.of('run249')).toBeNull();
  });
});

describe('comparing runs', () => {
  it('offers saved runs and recordings', async () => {
    const storage = new RunStorage('compare');
    await storage.importRun(made);
    const recordings = () => Promise.resolve([{ name: 'sums', title: 'Sums' }]);
    const comparison = new Comparison({ storage, recordings, readRecording: () => Promise.reject(new Error('gone')) });
    await comparison.load();
    expect(comparison.choices.map(({ key }) => key)).toEqual([`run:${ID}`, 'recording:sums']);
    await comparison.choose(`run:${ID}`);
    expect(lastStep(comparison.view!)).toBe(4);
    await comparison.choose('recording:sums');
    expect([comparison.view, comparison.problem]).toEqual([null, 'gone']);
  });

  it('lists the settings that differ', () => {
    const own = reduceAll(emptyRun, made);
    const [started] = made as [Extract<RunEvent, { type: 'started' }>];
    const device = { kind: 'trl', description: 'TRL 1.13.0' } as const;
    const config = { ...started.config, learning_rate: 1e-5 };
    const other = reduceAll(emptyRun, [{ ...started, config, device }]);
    expect(differences(own, other)).toEqual(['Learning rate 1e−5 instead of 3e−4', 'made on TRL 1.13.0']);
    expect(differences(own, own)).toEqual([]);
  });
});
