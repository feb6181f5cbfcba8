/** @file Page and worker over a real message channel: trainers, chat models, the order of events, and a worker that dies. */
import 'fake-indexeddb/auto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readWeights, type Model } from '../../src/formats/model';
import type { RunConfig } from '../../src/rl/config';
import { defaultRunConfig } from '../../src/runs/config';
import type { RunEvent } from '../../src/runs/events';
import type { ChatToken, GenerateRequest, OpenChatModel } from '../../src/runs/chat-model';
import type { RunObserver, RunStatus } from '../../src/runs/trainer';
import { RunStorage } from '../../src/storage/run-storage';
import { probe } from '../../src/engine/probe';
import type { HostParts } from '../../src/worker/host';
import type { EnginePlan } from '../runs/fixtures';
import { TestEngine, tinyFiles } from '../runs/fixtures';
import { clientOf } from '../support/worker';

const short: RunConfig = { ...defaultRunConfig, model: 'file:tiny', max_steps: 4, eval_steps: 2, save_steps: 2 };
const request: GenerateRequest = {
  messages: [{ role: 'user', content: '1+2=' }],
  max_tokens: 5,
  temperature: 1,
  top_k: 0,
  top_p: 1,
  seed: 0,
};
/** The seed of an answer that breaks off with an error. */
const FAULTY = 13;
let count = 0;
const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

async function setup(
  plan: EnginePlan = {},
  parts: { gpu?: GPU | undefined; engine?: Partial<HostParts['engine']> } = {},
) {
  const storage = new RunStorage(`worker-${count++}`);
  await storage.saveModel('tiny', tinyFiles());
  const state = { closed: 0, aborted: false, left: 0, engines: [] as TestEngine[] };
  const engine = {
    openTraining(model: Model, config: RunConfig, tell: { status(status: RunStatus): void }) {
      tell.status({ kind: 'loading', bytes: 1, total: 2 });
      const session = new TestEngine(config, model, plan);
      state.engines.push(session);
      return Promise.resolve(session);
    },
    async openChatModel(model: Model): Promise<OpenChatModel> {
      const norm = (await readWeights(model)).get('model.norm.weight')!.data[0]!;
      return {
        name: model.name,
        sampling: { temperature: 0.6 },
        readsLanguage: false,
        async *generate({ max_tokens, seed }: GenerateRequest, signal: AbortSignal): AsyncGenerator<ChatToken> {
          signal.addEventListener('abort', () => (state.aborted = true));
          try {
            for (let id = 0; id < max_tokens && !signal.aborted; id++) {
              await new Promise((resolve) => setTimeout(resolve, 1));
              if (seed === FAULTY && id === 2) throw new RangeError('the model broke');
              yield { text: `${norm}`, id, logprob: -id };
            }
          } finally {
            state.left++;
          }
        },
        close: () => void state.closed++,
      };
    },
    planRun: (model: Model, config: RunConfig) =>
      Promise.resolve({ weights: 4 * model.config.vocab_size, batch: config.num_prompts }),
  };
  const { client, workers, close } = clientOf({ storage, ...parts, engine: { ...engine, ...parts.engine } });
  cleanUps.push(close);
  return { client, storage, state, workers };
}
/** Keeps what a run reports. */
function observe() {
  const events: RunEvent[] = [];
  const statuses: RunStatus[] = [];
  const warnings: string[] = [];
  const observer: RunObserver = {
    event: (event) => void events.push(event),
    status: (status) => void statuses.push(status),
    warning: (message) => void warnings.push(message),
  };
  return { events, statuses, warnings, observer };
}
const outline = (events: RunEvent[]) =>
  events.map((event) => `${event.type}${'step' in event ? ` ${event.step}` : ''}`);

describe('a trainer in the worker', () => {
  it('has sent its events by the time a call resolves', async () => {
    const { client } = await setup();
    const { events, statuses, observer } = observe();
    const trainer = client.createTrainer();
    await trainer.start(short, observer);
    expect(outline(events)).toEqual(['started', 'eval 0']);
    expect(statuses).toEqual([{ kind: 'loading', bytes: 1, total: 2 }]);
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
    const { events, observer } = observe();
    const trainer = client.createTrainer();
    await trainer.start(short, observer);
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
    await expect(
      client.createTrainer().start({ ...short, num_generations: 1 }, { event: () => {} }),
    ).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(/Group size/) as string,
    });
    await expect(client.createTrainer().start({ ...short, model: 'file:gone' }, { event: () => {} })).rejects.toThrow(
      /Import it again/,
    );
    const blind = await setup({}, { gpu: undefined });
    await expect(blind.client.createTrainer().start(short, { event: () => {} })).rejects.toThrow(/no WebGPU/);
  });

  it('reports a checkpoint that was not saved', async () => {
    const { client, storage } = await setup();
    vi.spyOn(RunStorage.prototype, 'saveCheckpoint').mockRejectedValue(new Error('full'));
    const { warnings, observer } = observe();
    const trainer = client.createTrainer();
    await trainer.start(short, observer);
    await trainer.step();
    await trainer.stop();
    vi.restoreAllMocks();
    await vi.waitFor(() => expect(warnings).toEqual(['The checkpoint of step 1 was not saved. full']));
    expect(await storage.list()).toEqual([]);
  });
});

describe('chat models in the worker', () => {
  it('streams tokens of a model by name, and of a run as it is now', async () => {
    const { client, state } = await setup();
    const before = await client.openChatModel('file:tiny');
    expect(before).toMatchObject({ name: 'file:tiny', sampling: { temperature: 0.6 }, readsLanguage: false });
    const tokens: ChatToken[] = [];
    for await (const token of before.generate(request, new AbortController().signal)) tokens.push(token);
    expect(tokens.map((token) => token.id)).toEqual([0, 1, 2, 3, 4]);
    expect(tokens[0]).toEqual({ text: '1', id: 0, logprob: -0 });
    const trainer = client.createTrainer();
    await trainer.start(short, { event: () => {} });
    await trainer.step();
    const after = await trainer.openChatModel!('current');
    const texts: string[] = [];
    for await (const { text } of after.generate(request, new AbortController().signal)) texts.push(text);
    expect(new Set(texts)).toEqual(new Set(['3']));
    before.close();
    await vi.waitFor(() => expect(state.closed).toBe(1));
    const gone = before.generate(request, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(gone.next()).rejects.toThrow(/has been closed/);
  });

  it('shares a run’s memory where its session can chat: as it was at the start, and as it is now', async () => {
    const { client, state } = await setup({
      chatModel: (weights, engine) => ({
        name: weights,
        async *generate() {
          yield { text: `${weights === 'start' ? 1 : engine.state}` };
        },
      }),
    });
    const trainer = client.createTrainer();
    await trainer.start(short, { event: () => {} });
    await trainer.step();
    for (const [weights, expected] of [
      ['start', '1'],
      ['current', '3'],
    ] as const) {
      const chat = await trainer.openChatModel!(weights);
      const texts: string[] = [];
      for await (const { text } of chat.generate(request, new AbortController().signal)) texts.push(text);
      expect([chat.name, ...texts]).toEqual([weights, expected]);
      chat.close();
    }
    await trainer.step();
    expect(state.closed).toBe(0);
    expect(state.engines[0]!.destroyed).toBe(false);
  });

  it('takes turns with the steps of the run whose memory it shares', async () => {
    let answering = false;
    let overlapped = false;
    const { client, state } = await setup({
      beforeStep: () => void (overlapped ||= answering),
      chatModel: () => ({
        name: 'shared',
        async *generate() {
          answering = true;
          for (let i = 0; i < 20; i++) {
            await new Promise((resolve) => setTimeout(resolve, 2));
            yield { text: '.' };
          }
          answering = false;
        },
      }),
    });
    const { events, observer } = observe();
    const trainer = client.createTrainer();
    await trainer.start(short, observer);
    const chat = await trainer.openChatModel!('current');
    await trainer.resume();
    let texts = '';
    for await (const { text } of chat.generate(request, new AbortController().signal)) texts += text;
    expect(texts).toHaveLength(20);
    await vi.waitFor(() => expect(events.at(-1)?.type).toBe('finished'));
    expect([overlapped, state.engines[0]!.lives.length]).toEqual([false, 4]);
  });

  it('passes on how an answer broke off', async () => {
    const { client } = await setup();
    const chat = await client.openChatModel('file:tiny');
    const tokens: ChatToken[] = [];
    const asked = async () => {
      for await (const token of chat.generate({ ...request, seed: FAULTY }, new AbortController().signal))
        tokens.push(token);
    };
    await expect(asked()).rejects.toMatchObject({ name: 'RangeError', message: 'the model broke' });
    expect(tokens).toHaveLength(2);
  });

  it('stops being opened when the page’s signal aborts', async () => {
    const reasons: unknown[] = [];
    const engine: Pick<HostParts['engine'], 'openChatModel'> = {
      openChatModel: (_, options) =>
        new Promise((_, reject) => {
          const signal = options!.signal!;
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason);
            reject(signal.reason as Error);
          });
        }),
    };
    const { client } = await setup({}, { engine });
    const abort = new AbortController();
    const opening = client.openChatModel('file:tiny', { signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
    expect(reasons).toMatchObject([{ name: 'AbortError' }]);
  });

  it('ends early, without throwing, when it is aborted or left', async () => {
    const { client, state } = await setup();
    const chat = await client.openChatModel('file:tiny');
    const abort = new AbortController();
    let seen = 0;
    for await (const _ of chat.generate({ ...request, max_tokens: 10_000 }, abort.signal)) {
      if (++seen === 3) abort.abort();
    }
    expect(seen).toBe(3);
    await vi.waitFor(() => expect(state.aborted).toBe(true));
    await vi.waitFor(() => expect(state.left).toBe(1));
    for await (const _ of chat.generate({ ...request, max_tokens: 10_000 }, new AbortController().signal)) break;
    await vi.waitFor(() => expect(state.left).toBe(2));
    const never = AbortSignal.abort();
    for await (const _ of chat.generate(request, never)) expect.unreachable();
  });
});

describe('the worker itself', () => {
  it('plans memory and probes', async () => {
    const { client } = await setup();
    expect(await client.planRun(short)).toEqual({ weights: 256, batch: 16 });
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
    const { events, observer } = observe();
    const trainer = client.createTrainer();
    await trainer.start(short, observer);
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
    expect(await client.planRun(short)).toHaveProperty('weights');
    expect(workers).toHaveLength(2);
  });

  it('tells nobody of a run that had ended', async () => {
    const { client } = await setup();
    const { events, observer } = observe();
    const trainer = client.createTrainer();
    await trainer.start(short, observer);
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
