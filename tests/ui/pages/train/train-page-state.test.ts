/** @file The state of the Train page: the address names the run, the GPU decides its size, an interrupted run is offered. */
import 'fake-indexeddb/auto';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunConfig, RunEvent } from '../../../../src/runs/events';
import type { RunObserver } from '../../../../src/runs/trainer';
import { RunStorage } from '../../../../src/storage/run-storage';
import type { ProbeResult } from '../../../../src/engine/probe';
import { FakeLocks } from '../../../support/fake-locks';
import { syntheticRun } from './fixture';

const events = [...syntheticRun({ num_prompts: 2, num_generations: 4, eval_steps: 0, save_steps: 2 }, 4)];
const gpu = (software: boolean): ProbeResult => ({
  available: true,
  vendor: 'test',
  architecture: 'test',
  description: 'test',
  software,
  features: [],
  limits: {
    maxBufferSize: 1,
    maxStorageBufferBindingSize: 1,
    maxStorageBuffersPerShaderStage: 1,
    maxComputeWorkgroupStorageSize: 1,
    maxComputeInvocationsPerWorkgroup: 1,
  },
});

let probed: ProbeResult;
let started: RunConfig[];
/** Addresses of new history entries. */
let pushed: string[];
/** Sends an event of the run started last. */
let send: (event: RunEvent) => void;
vi.mock('../../../../src/worker/client', () => ({
  engine: () => ({
    probe: () => Promise.resolve(probed),
    openChatModel: (name: string) => Promise.resolve({ name }),
    describeModel: ({ name }: { name: string }) =>
      name === 'file:broken'
        ? Promise.reject(new Error('broken'))
        : Promise.resolve({ name, readsLanguage: name === 'file:reader', adapter: false, context: 1 }),
    storedModels: () =>
      Promise.resolve([
        { id: 'a-0123456789', complete: true },
        { id: 'b-0123456789', complete: false },
      ]),
    createTrainer: () => ({
      start: (config: RunConfig, observer: RunObserver) => {
        if (config.lora_r !== null) {
          observer.status!({ kind: 'loading', bytes: 120e6, total: 270e6 });
          return new Promise(() => {});
        }
        if (config.cold_start_steps > 0) {
          observer.status!({ kind: 'sft', update: 3, updates: config.cold_start_steps });
          return new Promise(() => {});
        }
        send = (event) => observer.event(event);
        started.push(config);
        send({ ...events[0], run_id: `run-${started.length}`, config } as RunEvent);
        return Promise.resolve();
      },
      resume: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      openChatModel: (weights: 'start' | 'current') => Promise.resolve({ name: weights }),
    }),
  }),
}));

/** A fresh page with its own address, state and router. */
async function openPage(hash = '') {
  vi.resetModules();
  vi.stubGlobal('location', { hash });
  const { router } = await import('../../../../src/ui/shell/router.svelte');
  const { trainPage } = await import('../../../../src/ui/pages/train/train-page-state.svelte');
  await trainPage.open(router.route.params);
  return { trainPage, router, query: () => router.route.params.toString() };
}

// The modules are compiled once, which takes longer than a test may on a busy machine.
beforeAll(async () => {
  vi.stubGlobal('addEventListener', () => {});
  await openPage();
}, 60_000);
beforeEach(() => {
  probed = gpu(false);
  started = [];
  vi.stubGlobal('addEventListener', () => {});
  pushed = [];
  vi.stubGlobal('history', {
    ...{ state: null, replaceState: () => {} },
    pushState: (_state: unknown, _title: string, url: string) => pushed.push(url),
  });
  vi.stubGlobal('requestAnimationFrame', () => 1);
  vi.stubGlobal('cancelAnimationFrame', () => {});
});

describe('the Train page', () => {
  it('starts the run that the address names', async () => {
    const { trainPage } = await openPage('#/train?learning_rate=0.001');
    expect(trainPage.session.status).toBe('paused');
    expect(started.map((config) => config.learning_rate)).toEqual([1e-3]);
  });

  it('takes a small batch on a CPU, unless the address has settings', async () => {
    probed = gpu(true);
    const { query } = await openPage();
    expect(started[0]).toMatchObject({ num_prompts: 4, num_generations: 8 });
    expect(query()).toContain('num_prompts=4');
    started = [];
    await openPage('#/train?num_prompts=2');
    expect(started[0]).toMatchObject({ num_prompts: 2, num_generations: 16 });
  });

  it('offers completely downloaded models and shows the progress of loading one', async () => {
    const { trainPage } = await openPage('#/train?seed=1');
    expect(trainPage.models).toEqual(['tinythink-1m', 'store:a-0123456789']);
    void trainPage.open(new URLSearchParams('model=store:a-0123456789'));
    await vi.waitFor(() => expect(trainPage.session.loading).toBe('Loading weights, 120 of 270 MB'));
  });

  it('finds out what imported models are', async () => {
    const storage = new RunStorage();
    for (const name of ['toy', 'reader', 'broken']) await storage.saveModel(name, new Map());
    const { trainPage } = await openPage('#/train?seed=1');
    await vi.waitFor(() => expect(trainPage.traits.size).toBe(2));
    expect(trainPage.traits.get('file:reader')).toMatchObject({ readsLanguage: true });
    expect(trainPage.traits.get('file:toy')).toMatchObject({ readsLanguage: false });
    for (const name of await storage.modelNames()) await storage.deleteModel(name);
  });

  it('lists models before the run is on the GPU', async () => {
    const { trainPage } = await openPage('#/train?seed=1');
    trainPage.models = [];
    // A run that never gets ready.
    void trainPage.open(new URLSearchParams('cold_start_steps=40'));
    await vi.waitFor(() => expect(trainPage.models).toEqual(['tinythink-1m', 'store:a-0123456789']));
  });

  it('shows the progress of a supervised start', async () => {
    const { trainPage } = await openPage('#/train?seed=1');
    void trainPage.open(new URLSearchParams('cold_start_steps=40'));
    await vi.waitFor(() => expect(trainPage.session.loading).toBe('Cold start, update 3 of 40'));
  });

  it('starts nothing without a GPU', async () => {
    probed = { available: false, stage: 'no-api', message: 'none' };
    const { trainPage } = await openPage();
    expect([trainPage.session.status, trainPage.session.source, started]).toEqual(['empty', null, []]);
  });

  it('reports settings of a link that it could not use', async () => {
    const { trainPage } = await openPage('#/train?learning_rate=7&colour=red');
    expect(trainPage.linkProblems.map((problem) => problem.param)).toEqual(['learning_rate', 'colour']);
    expect(started[0]?.learning_rate).toBe(3e-4);
  });

  it('keeps its run when the user comes back by the plain link', async () => {
    const { trainPage, query } = await openPage('#/train?seed=4');
    await trainPage.open(new URLSearchParams());
    expect(started).toHaveLength(1);
    expect(query()).toBe('seed=4');
  });

  it('puts a run that was set up on the page into the address, and does not start it twice', async () => {
    const { trainPage, router, query } = await openPage('#/train?seed=4');
    await trainPage.begin({ ...started[0]!, seed: 5 });
    await trainPage.open(router.route.params);
    expect(query()).toBe('seed=5');
    expect(started.map((config) => config.seed)).toEqual([4, 5]);
    // Back leads to the run before, and not away from the page. The same settings again are no other place.
    expect(pushed).toEqual(['#/train?seed=5']);
    await trainPage.begin({ ...started[0]!, seed: 5 });
    expect(pushed).toHaveLength(1);
    await trainPage.open(new URLSearchParams('seed=4'));
    expect(started.map((config) => config.seed)).toEqual([4, 5, 5, 4]);
    expect(pushed).toHaveLength(1);
  });

  it('shows why an address cannot be opened', async () => {
    const { trainPage } = await openPage('#/train?run=nowhere');
    expect(trainPage.session.error).toContain('not saved on this device');
  });

  it('opens the model before training and the current one', async () => {
    const { trainPage } = await openPage('#/train?seed=4');
    expect((await trainPage.chatModel('before')).name).toBe('start');
    expect((await trainPage.chatModel('after')).name).toBe('current');
  });

  it('saves a run once it has made a step', async () => {
    const storage = new RunStorage();
    await openPage('#/train?seed=77');
    await new Promise((done) => setTimeout(done, 50));
    const saved = async () => (await storage.list()).filter((run) => run.config.seed === 77);
    expect(await saved()).toEqual([]);
    send(events.find((event) => event.type === 'step')!);
    send({ type: 'finished', step: 1, reason: 'stopped' });
    await vi.waitFor(async () => expect(await saved()).toMatchObject([{ last_step: 1, status: 'finished' }]));
  });

  it('offers to resume an interrupted run, and resumes it', async () => {
    const storage = new RunStorage();
    for (const run of await storage.list()) await storage.delete(run.id);
    const broken = events.filter((event) => event.type !== 'finished');
    const { id } = await storage.importRun(broken);
    // Until it has a checkpoint, it can only be looked at.
    expect((await openPage('#/train?seed=8')).trainPage.interrupted).toMatchObject({ run: { id }, checkpoint: null });
    await storage.saveCheckpoint(id, 2, new Uint8Array(4));
    const { trainPage } = await openPage('#/train?seed=9');
    expect(trainPage.interrupted).toMatchObject({ run: { id }, checkpoint: 2 });

    const resumed = await openPage(`#/train?run=${id}&resume=2`);
    resumed.trainPage.session.run.flush();
    expect(resumed.trainPage.session.source?.resume).toEqual({ run_id: id, step: 2 });
    expect(resumed.trainPage.interrupted).toBeNull();
    expect(resumed.query()).toBe(`run=${id}&resume=2`);
  });

  it('continues a finished run for 100 more steps', async () => {
    const storage = new RunStorage();
    for (const run of await storage.list()) await storage.delete(run.id);
    const { id } = await storage.importRun(events);
    await storage.saveCheckpoint(id, 4, new Uint8Array(4));
    const { trainPage, query } = await openPage(`#/train?run=${id}`);
    trainPage.session.run.flush();
    await vi.waitFor(() => expect(trainPage.trainMore?.steps).toBe(100));
    trainPage.trainMore!.start();
    await vi.waitFor(() => expect(trainPage.session.status).toBe('running'));
    expect(started.at(-1)?.max_steps).toBe(104);
    expect(query()).toBe(`run=${id}&resume=4`);
  });

  it('does not offer to continue a run without a checkpoint', async () => {
    const storage = new RunStorage();
    const { id } = await storage.importRun(events.map((e) => (e.type === 'started' ? { ...e, run_id: 'bare' } : e)));
    const { trainPage } = await openPage(`#/train?run=${id}`);
    trainPage.session.run.flush();
    await new Promise((done) => setTimeout(done, 50));
    expect(trainPage.trainMore).toBeNull();
  });
});

describe('a run in two tabs', () => {
  const step = (n: number) => events.find((event) => event.type === 'step' && event.step === n)!;

  it('is shown and not resumed in the second, which can take it over with all that was trained', async () => {
    vi.stubGlobal('navigator', { locks: new FakeLocks() });
    const storage = new RunStorage();
    const { run_id: id } = await storage
      .importRun(events.filter((event) => event.type !== 'finished' && (event.type === 'started' || event.step <= 2)))
      .then((run) => ({ run_id: run.id }));
    await storage.saveCheckpoint(id, 2, Uint8Array.of(1));

    const first = await openPage(`#/train?run=${id}&resume=2`);
    expect(first.trainPage.session.source).toMatchObject({ kind: 'live', resume: { run_id: id, step: 2 } });
    expect(first.trainPage.runElsewhere).toBe('');
    const sendFirst = send;
    const second = await openPage(`#/train?run=${id}&resume=2`);
    expect(second.trainPage.session.source).toMatchObject({ kind: 'saved' });
    expect(second.trainPage.runElsewhere).toBe(id);
    expect(started).toHaveLength(1);

    sendFirst({ ...events[0], run_id: id } as RunEvent);
    sendFirst(step(3));
    await storage.saveCheckpoint(id, 3, Uint8Array.of(2));
    await second.trainPage.takeOver();
    expect(second.trainPage.session.source).toMatchObject({ kind: 'live', resume: { run_id: id, step: 3 } });
    expect(second.trainPage.runElsewhere).toBe('');
    expect(second.query()).toBe(`run=${id}&resume=3`);
    expect(first.trainPage.session).toMatchObject({
      status: 'ended',
      error: 'Another tab has taken over this run. What this tab had trained is saved.',
    });
    // What the first tab still sends is not saved.
    sendFirst(step(4));
    await new Promise((done) => setTimeout(done, 20));
    const saved = (await storage.events(id)).flatMap((event) => (event.type === 'step' ? event.step : []));
    expect(saved).toEqual([1, 2, 3]);
  });

  it('that another tab is training is not offered as one that was interrupted', async () => {
    vi.stubGlobal('navigator', { locks: new FakeLocks() });
    const storage = new RunStorage();
    for (const { id } of await storage.list()) await storage.delete(id);
    const { id } = await storage.importRun(
      events.filter((event) => event.type === 'started' || (event.type === 'step' && event.step <= 2)),
    );
    await storage.saveCheckpoint(id, 2, Uint8Array.of(1));
    expect((await openPage('#/train?seed=1')).trainPage.interrupted?.run.id).toBe(id);
    await openPage(`#/train?run=${id}&resume=2`);
    expect((await openPage('#/train?seed=1')).trainPage.interrupted).toBeNull();
  });
});
