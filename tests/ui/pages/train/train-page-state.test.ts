/** @file The state of the Train page: the address names the run, the GPU decides its size, an interrupted run is offered. */
import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunConfig, RunEvent } from '../../../../src/runs/events';
import type { PrepareProgress } from '../../../../src/engine/load-options';
import { RunStorage } from '../../../../src/storage/run-storage';
import type { ProbeResult } from '../../../../src/engine/probe';
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
/** Sends an event of the run started last. */
let send: (event: RunEvent) => void;
vi.mock('../../../../src/worker/client', () => ({
  engine: () => ({
    probe: () => Promise.resolve(probed),
    openChatModel: (name: string) => Promise.resolve({ name }),
    storedModels: () =>
      Promise.resolve([
        { id: 'a-0123456789', complete: true },
        { id: 'b-0123456789', complete: false },
      ]),
    createTrainer: (_: unknown, onPreparing: (progress: PrepareProgress) => void) => ({
      start: (config: RunConfig, onEvent: (event: RunEvent) => void) => {
        if (config.lora_r !== null) {
          onPreparing({ bytes: 120e6, total: 270e6 });
          return new Promise(() => {});
        }
        if (config.cold_start_steps > 0) {
          onPreparing({ update: 3, updates: config.cold_start_steps });
          return new Promise(() => {});
        }
        send = onEvent;
        started.push(config);
        send({ ...events[0], run_id: `run-${started.length}`, config } as RunEvent);
        return Promise.resolve();
      },
      stop: () => Promise.resolve(),
      currentChatModel: () => Promise.resolve({ name: 'now' }),
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

beforeEach(() => {
  probed = gpu(false);
  started = [];
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('history', { state: null, replaceState: () => {} });
  vi.stubGlobal('requestAnimationFrame', () => 1);
  vi.stubGlobal('cancelAnimationFrame', () => {});
});

describe('the Train page', () => {
  it('starts the run that the address names', async () => {
    const { trainPage } = await openPage('#/train?learning_rate=0.001');
    expect(trainPage.session.status).toBe('paused');
    expect(started.map((config) => config.learning_rate)).toEqual([1e-3]);
  });

  it('takes a small batch on a processor, unless the address says otherwise', async () => {
    probed = gpu(true);
    const { query } = await openPage();
    expect(started[0]).toMatchObject({ num_prompts: 4, num_generations: 8 });
    expect(query()).toContain('num_prompts=4');
    started = [];
    await openPage('#/train?num_prompts=2');
    expect(started[0]).toMatchObject({ num_prompts: 2, num_generations: 16 });
  });

  it('offers models that are stored to the end, for adapters, and says how far one is loaded', async () => {
    const { trainPage } = await openPage('#/train?seed=1');
    expect(trainPage.models).toEqual(['tinythink-1m', 'store:a-0123456789']);
    void trainPage.open(new URLSearchParams('model=store:a-0123456789'));
    await vi.waitFor(() => expect(trainPage.session.loading).toBe('loading weights, 120 of 270 MB'));
  });

  it('says how far a cold start is', async () => {
    const { trainPage } = await openPage('#/train?seed=1');
    void trainPage.open(new URLSearchParams('cold_start_steps=40'));
    await vi.waitFor(() => expect(trainPage.session.loading).toBe('cold start, update 3 of 40'));
  });

  it('starts nothing without a GPU', async () => {
    probed = { available: false, stage: 'no-api', message: 'none' };
    const { trainPage } = await openPage();
    expect([trainPage.session.status, trainPage.session.source, started]).toEqual(['empty', null, []]);
  });

  it('reports what it could not use of a link', async () => {
    const { trainPage } = await openPage('#/train?learning_rate=7&colour=red');
    expect(trainPage.linkProblems.map((problem) => problem.param)).toEqual(['learning_rate', 'colour']);
    expect(started[0]?.learning_rate).toBe(3e-4);
  });

  it('keeps its run when the reader comes back by the plain link', async () => {
    const { trainPage, query } = await openPage('#/train?seed=4');
    await trainPage.open(new URLSearchParams());
    expect(started).toHaveLength(1);
    expect(query()).toBe('seed=4');
  });

  it('names a run that was set up on the page in the address, and does not start it twice', async () => {
    const { trainPage, router, query } = await openPage('#/train?seed=4');
    await trainPage.begin({ ...started[0]!, seed: 5 });
    await trainPage.open(router.route.params);
    expect(query()).toBe('seed=5');
    expect(started.map((config) => config.seed)).toEqual([4, 5]);
  });

  it('shows why an address leads nowhere', async () => {
    const { trainPage } = await openPage('#/train?run=nowhere');
    expect(trainPage.session.error).toContain('not among the saved ones');
  });

  it('asks the model before and the model now', async () => {
    const { trainPage } = await openPage('#/train?seed=4');
    expect((await trainPage.chatModel('before')).name).toBe('tinythink-1m');
    expect((await trainPage.chatModel('after')).name).toBe('now');
  });

  it('saves a run from its first step on, and not before', async () => {
    const storage = new RunStorage();
    await openPage('#/train?seed=77');
    await new Promise((done) => setTimeout(done, 50));
    const saved = async () => (await storage.list()).filter((run) => run.config.seed === 77);
    expect(await saved()).toEqual([]);
    send(events.find((event) => event.type === 'step')!);
    send({ type: 'finished', step: 1, reason: 'stopped' });
    await vi.waitFor(async () => expect(await saved()).toMatchObject([{ last_step: 1, status: 'finished' }]));
  });

  it('offers to go on with a run that was broken off, and goes on with it', async () => {
    const storage = new RunStorage();
    for (const run of await storage.list()) await storage.delete(run.id);
    const broken = events.filter((event) => event.type !== 'finished');
    const { id } = await storage.importRun(broken);
    await storage.saveCheckpoint(id, 2, new Uint8Array(4));
    const { trainPage } = await openPage('#/train?seed=9');
    expect(trainPage.interrupted).toMatchObject({ run: { id }, checkpoint: 2 });

    const resumed = await openPage(`#/train?run=${id}&resume=2`);
    resumed.trainPage.session.run.flush();
    expect(resumed.trainPage.session.source?.resume).toEqual({ run_id: id, step: 2 });
    expect(resumed.trainPage.interrupted).toBeNull();
    expect(resumed.query()).toBe(`run=${id}&resume=2`);
  });
});
