/** @file Page and worker over a real message channel: trainers, policies, order, and a worker that dies. */
import 'fake-indexeddb/auto';
import { expose } from 'comlink';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RunConfig } from '../../src/rl/config';
import { defaultRunConfig } from '../../src/runs/config';
import type { RunEvent } from '../../src/runs/events';
import type { GenerateRequest, ChatToken } from '../../src/runs/chat-model';
import { RunStorage } from '../../src/storage/run-storage';
import { EngineClient } from '../../src/worker/client';
import { EngineHost } from '../../src/worker/host';
import type { EngineParts } from '../../src/worker/host';
import { probe } from '../../src/engine/probe';
import type { EnginePlan } from '../runs/fixtures';
import { TestEngine, tinyFiles } from '../runs/fixtures';

const short: RunConfig = { ...defaultRunConfig, model: 'file:tiny', max_steps: 4, eval_steps: 2, save_steps: 2 };
const request: GenerateRequest = {
  messages: [{ role: 'user', content: '1+2=' }],
  max_tokens: 5,
  temperature: 1,
  top_k: 0,
  top_p: 1,
  seed: 0,
};
const adapter = {
  info: { vendor: 'acme', architecture: 'a1', description: '' },
  features: new Set(['shader-f16']),
  limits: { maxBufferSize: 1024 },
  requestDevice: () => Promise.resolve({ destroy() {} }),
};
const gpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;

let count = 0;
const channels: MessageChannel[] = [];
afterEach(() => {
  for (const { port1, port2 } of channels.splice(0)) {
    port1.close();
    port2.close();
  }
});

/** A client whose "workers" are hosts at the other end of a message channel. */
async function setup(plan: EnginePlan = {}, parts: Partial<EngineParts> = {}) {
  const storage = new RunStorage(`worker-${count++}`);
  await storage.saveModel('tiny', tinyFiles());
  const state = { closed: 0, aborted: false, engines: [] as TestEngine[] };
  const workers: { fail(message: string): void; terminated: boolean }[] = [];
  const spawn = () => {
    const channel = new MessageChannel();
    channels.push(channel);
    const { port1, port2 } = channel;
    const host = new EngineHost(
      {
        gpu,
        createSession(config, folder) {
          const engine = new TestEngine(config, folder, plan);
          state.engines.push(engine);
          return Promise.resolve(engine);
        },
        createChatModel: (folder) =>
          Promise.resolve({
            name: folder.name,
            async *generate({ max_tokens }: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
              signal.addEventListener('abort', () => (state.aborted = true));
              const norm = folder.tensors.get('model.norm.weight')!.data[0]!;
              for (let id = 0; id < max_tokens && !signal.aborted; id++) {
                await new Promise((resolve) => setTimeout(resolve, 1));
                yield { text: `${norm}`, id, logprob: -id };
              }
            },
            close: () => void state.closed++,
          }),
        openModel: () => Promise.reject(new Error('no model is opened here')),
        createPackedChatModel: () => Promise.reject(new Error('no large model is loaded here')),
        createLoraSession: () => Promise.reject(new Error('no adapters are trained here')),
        planLoraMemory: () => Promise.reject(new Error('no adapters are trained here')),
        planMemory: (config, model) => Promise.resolve({ weights: 4 * model.vocab_size, batch: config.num_prompts }),
        ...parts,
      },
      storage,
    );
    expose(host, port2);
    port1.start();
    port2.start();
    const errors = new Set<(event: Event) => void>();
    const worker = {
      terminated: false,
      fail: (message: string) => errors.forEach((listener) => listener({ message } as never)),
    };
    workers.push(worker);
    return {
      postMessage: port1.postMessage.bind(port1) as Worker['postMessage'],
      addEventListener(type: string, listener: (event: Event) => void) {
        if (type === 'error') errors.add(listener);
        else port1.addEventListener(type, listener);
      },
      removeEventListener: (type: string, listener: (event: Event) => void) =>
        port1.removeEventListener(type, listener),
      terminate() {
        worker.terminated = true;
        port1.close();
      },
    } as Pick<Worker, 'postMessage' | 'addEventListener' | 'removeEventListener' | 'terminate'>;
  };
  const client = new EngineClient(spawn, () => 'https://page.example/app/');
  return { client, storage, state, workers };
}
const outline = (events: RunEvent[]) =>
  events.map((event) => `${event.type}${'step' in event ? ` ${event.step}` : ''}`);

describe('a trainer in the worker', () => {
  it('has sent its events by the time a call resolves', async () => {
    const { client } = await setup();
    const events: RunEvent[] = [];
    const trainer = client.createTrainer();
    await trainer.start(short, (event) => events.push(event));
    expect(outline(events)).toEqual(['started', 'eval 0']);
    expect(events[0]).toMatchObject({ device: { description: 'acme a1' }, config: short });
    await trainer.step();
    expect(outline(events).at(-1)).toBe('step 1');
    await trainer.update({ learning_rate: 1e-5 });
    expect(events.at(-1)).toMatchObject({ type: 'changed', change: { learning_rate: 1e-5 } });
    await trainer.resume();
    await trainer.pause();
    expect(outline(events).filter((line) => line.startsWith('step')).length).toBeGreaterThanOrEqual(1);
    await trainer.stop();
    expect(outline(events).at(-1)).toMatch(/^finished/);
  });

  it('runs to the end in order, keeps checkpoints, and gives the weights more than once', async () => {
    const { client, storage } = await setup();
    const events: RunEvent[] = [];
    const trainer = client.createTrainer();
    await trainer.start(short, (event) => events.push(event));
    await trainer.resume();
    await vi.waitFor(() => expect(events.at(-1)?.type).toBe('finished'));
    expect(outline(events)).toEqual([
      'started',
      'eval 0',
      'step 1',
      'step 2',
      'eval 2',
      'checkpoint 2',
      'step 3',
      'step 4',
      'eval 4',
      'checkpoint 4',
      'finished 4',
    ]);
    const { run_id } = events[0] as { run_id: string };
    expect(await storage.checkpointSteps(run_id)).toEqual([2, 4]);
    for (let i = 0; i < 2; i++) {
      const files = await trainer.exportModel();
      expect([...files.keys()].sort()).toEqual([
        'config.json',
        'model.safetensors',
        'tokenizer.json',
        'tokenizer_config.json',
      ]);
      for (const bytes of files.values()) expect(bytes.length).toBeGreaterThan(0);
    }
  });

  it('passes on what is wrong, with its name', async () => {
    const { client } = await setup();
    await expect(client.createTrainer().start({ ...short, num_generations: 1 }, () => {})).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/Group size/) as string,
    });
    await expect(client.createTrainer().start({ ...short, model: 'file:gone' }, () => {})).rejects.toThrow(
      /Import it again/,
    );
    const blind = await setup({}, { gpu: undefined });
    await expect(blind.client.createTrainer().start(short, () => {})).rejects.toThrow(/no WebGPU/);
  });

  it('reports a checkpoint that was not saved', async () => {
    const { client, storage } = await setup();
    vi.spyOn(RunStorage.prototype, 'saveCheckpoint').mockRejectedValue(new Error('full'));
    const warnings: string[] = [];
    const trainer = client.createTrainer((message) => warnings.push(message));
    await trainer.start(short, () => {});
    await trainer.step();
    await trainer.stop();
    vi.restoreAllMocks();
    await vi.waitFor(() => expect(warnings).toEqual(['The checkpoint of step 1 was not saved. full']));
    expect(await storage.list()).toEqual([]);
  });
});

describe('policies in the worker', () => {
  it('streams tokens of a model by name, and of a run as it is now', async () => {
    const { client, state } = await setup();
    const before = await client.openChatModel('file:tiny');
    const tokens: ChatToken[] = [];
    for await (const token of before.generate(request, new AbortController().signal)) tokens.push(token);
    expect(tokens.map((token) => token.id)).toEqual([0, 1, 2, 3, 4]);
    expect(tokens[0]).toEqual({ text: '1', id: 0, logprob: -0 });
    const trainer = client.createTrainer();
    await trainer.start(short, () => {});
    await trainer.step();
    const after = await trainer.currentChatModel();
    const texts: string[] = [];
    for await (const { text } of after.generate(request, new AbortController().signal)) texts.push(text);
    expect(new Set(texts)).toEqual(new Set(['3']));
    before.close();
    await vi.waitFor(() => expect(state.closed).toBe(1));
    const gone = before.generate(request, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(gone.next()).rejects.toThrow(/has been closed/);
  });

  it('ends early, without throwing, when it is aborted or left', async () => {
    const { client, state } = await setup();
    const policy = await client.openChatModel('file:tiny');
    const abort = new AbortController();
    let seen = 0;
    for await (const _ of policy.generate({ ...request, max_tokens: 10_000 }, abort.signal)) {
      if (++seen === 3) abort.abort();
    }
    expect(seen).toBe(3);
    await vi.waitFor(() => expect(state.aborted).toBe(true));
    state.aborted = false;
    await vi.waitFor(async () => {
      for await (const _ of policy.generate({ ...request, max_tokens: 10_000 }, new AbortController().signal)) break;
    });
    await vi.waitFor(() => expect(state.aborted).toBe(true));
    const never = AbortSignal.abort();
    for await (const _ of policy.generate(request, never)) expect.unreachable();
  });
});

describe('the worker itself', () => {
  it('plans memory and probes', async () => {
    const { client } = await setup();
    expect(await client.plan(short)).toEqual({ weights: 256, batch: 16 });
    expect(await client.probe()).toMatchObject({
      available: true,
      vendor: 'acme',
      software: false,
      features: ['shader-f16'],
      limits: { maxBufferSize: 1024 },
    });
  });

  it('says so when it dies under a run, and starts anew', async () => {
    const { client, workers } = await setup({ beforeStep: () => new Promise(() => {}) });
    const events: RunEvent[] = [];
    const trainer = client.createTrainer();
    await trainer.start(short, (event) => events.push(event));
    const step = trainer.step();
    workers[0]!.fail('out of memory');
    await expect(step).rejects.toThrow(/The engine stopped \(out of memory\).*last checkpoint/);
    expect(events.at(-1)).toMatchObject({
      type: 'failed',
      step: 0,
      reason: expect.stringMatching(/out of memory/) as string,
    });
    expect(workers[0]!.terminated).toBe(true);
    await expect(trainer.exportModel()).rejects.toThrow(/The engine stopped/);
    expect(await client.plan(short)).toHaveProperty('weights');
    expect(workers).toHaveLength(2);
  });

  it('tells nobody of a run that had ended', async () => {
    const { client } = await setup();
    const events: RunEvent[] = [];
    const trainer = client.createTrainer();
    await trainer.start(short, (event) => events.push(event));
    await trainer.stop();
    const seen = events.length;
    client.dispose();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(events).toHaveLength(seen);
  });
});

describe('probe', () => {
  it.each([
    [undefined, 'no-api', /no WebGPU/],
    [{ requestAdapter: () => Promise.resolve(null) }, 'no-adapter', /no adapter/],
    [{ requestAdapter: () => Promise.reject(new Error('GPU process crashed')) }, 'no-adapter', /crashed/],
    [
      { requestAdapter: () => Promise.resolve({ requestDevice: () => Promise.reject(new Error('lost')) }) },
      'no-device',
      /lost/,
    ],
  ])('tells how far it got: %#', async (api, stage, message) => {
    const result = await probe(api as unknown as GPU);
    expect(result).toMatchObject({ available: false, stage, message: expect.stringMatching(message) as string });
  });
});
