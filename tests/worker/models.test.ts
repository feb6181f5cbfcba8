/** Models through page and worker: looked at, downloaded from a hub on this machine, listed, opened, removed. */
import 'fake-indexeddb/auto';
import { expose } from 'comlink';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseDecoderConfig } from '../../src/formats/hf/hf-config';
import type { ModelFiles, OpenedModel } from '../../src/formats/files/model-files';
import type { ModelFolder } from '../../src/formats/hf/model-folder';
import { writeSafetensors } from '../../src/formats/hf/safetensors';
import { MemoryDirectory, readAll } from '../../src/formats/hub/store/store-directory';
import type { DownloadProgress } from '../../src/formats/hub/stored-model';
import type { RunConfig } from '../../src/rl/config';
import { configForModel, defaultRunConfig } from '../../src/runs/config';
import type { RunEvent, StartedEvent } from '../../src/runs/events';
import type { LoadOptions, LoadProgress, PrepareProgress } from '../../src/engine/load-options';
import { RunStorage } from '../../src/storage/run-storage';
import { EngineClient } from '../../src/worker/client';
import { EngineHost } from '../../src/worker/host';
import type { EngineParts } from '../../src/worker/host';
import { WorkerModels } from '../../src/worker/models';
import { folderFiles, madeUpCheckpoint, startHubServer, textFile } from '../support/hub-server';
import { TestEngine } from '../runs/fixtures';
import type { Asked, Fault, ServedFile } from '../support/hub-server';

const repos: Record<string, Record<string, ServedFile>> = {
  'acme/tiny': madeUpCheckpoint('public/models/tinythink-1m', {}),
  'acme/strange': {
    ...folderFiles('public/models/tinythink-1m'),
    'config.json': textFile('{"model_type": "mamba"}'),
  },
};

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** As the engine's, but taking the tensors for granted. */
async function openModel(files: ModelFiles): Promise<OpenedModel> {
  const file = (await files.open('config.json'))!;
  const config = parseDecoderConfig(JSON.parse(new TextDecoder().decode(await readAll(file))));
  const weights = (await files.open('model.safetensors'))!;
  const tensor = { name: 'x', shape: [1], type: 'BF16', file: weights, begin: 0, bytes: 2 } as const;
  return { name: files.name, config, tensors: new Map([['x', tensor]]), bytes: 2, sampling: {} } as never;
}

let count = 0;
const gpu = {
  requestAdapter: () =>
    Promise.resolve({
      info: { vendor: 'acme', architecture: 'a1', description: '' },
      features: new Set(),
      limits: {},
      requestDevice: () => Promise.resolve({ destroy() {} }),
    }),
} as unknown as GPU;

/** The test engine, with checkpoints of adapters. */
class TestAdapters extends TestEngine {
  override checkpoint(): Promise<Uint8Array> {
    const data = Float32Array.of(this.state);
    const tensors = ['model.layers.0.self_attn.q_proj.lora_A.weight', 'adam.moments'].map((name) => ({
      ...{ name, shape: [1], data },
    }));
    const lora = JSON.stringify({ r: 1, lora_alpha: 2, target_modules: ['q_proj'] });
    return Promise.resolve(writeSafetensors(tensors, 'F32', { lora, base_model: this.folder.name }));
  }
}

async function setup(fault?: (asked: Asked) => Fault | undefined) {
  const hub = await startHubServer({ repos, ...(fault && { fault }), info: { cardData: { license: 'mit' } } });
  const directory = new MemoryDirectory();
  const opened: { name: string; options: LoadOptions }[] = [];
  const sessions: { config: RunConfig; model: string }[] = [];
  let closed = 0;
  const parts = {
    gpu,
    openModel,
    createLoraSession: (
      config: RunConfig,
      model: OpenedModel,
      _: unknown,
      onProgress: (progress: LoadProgress) => void,
    ) => {
      sessions.push({ config, model: model.name });
      onProgress({ bytes: 2, total: 2 });
      return Promise.resolve(new TestAdapters(config, { name: model.name } as ModelFolder));
    },
    planLoraMemory: (_: RunConfig, model: OpenedModel) => Promise.resolve({ weights: model.bytes, total: 7 }),
    createPackedChatModel: (model: OpenedModel, options: LoadOptions, onProgress: (progress: LoadProgress) => void) => {
      opened.push({ name: model.name, options });
      onProgress({ bytes: 2, total: 2 });
      return Promise.resolve({ name: model.name, async *generate() {}, close: () => void closed++ });
    },
  } as unknown as EngineParts;
  const { port1, port2 } = new MessageChannel();
  const models = new WorkerModels(openModel, () => Promise.resolve(directory), { backoff: 1 });
  const storage = new RunStorage(`models-test-${count++}`);
  expose(new EngineHost(parts, storage, models), port2);
  port1.start();
  port2.start();
  const worker = Object.assign(port1, { terminate: () => port1.close() });
  const client = new EngineClient(
    () => worker,
    () => 'https://page.example/',
  );
  cleanUps.push(() => {
    port1.close();
    port2.close();
    return hub.close();
  });
  const address = (repo = 'acme/tiny') => ({ kind: 'hub', repo, endpoint: hub.endpoint }) as const;
  return { client, hub, directory, address, opened, sessions, storage, closed: () => closed };
}

describe('a model on the hub', () => {
  it('is looked at without its weights, and one that is not computed here is refused so', async () => {
    const { client, hub, address, directory } = await setup();
    const summary = await client.inspectModel(address());
    expect(summary).toMatchObject({
      ...{ name: 'acme/tiny', licence: 'mit', architecture: 'LlamaForCausalLM', quantisation: 'BF16' },
      origin: { kind: 'hub', revision: hub.sha },
      ...{ complete: false, storedBytes: 0 },
    });
    expect(summary.files.map(({ path }) => path)).toContain('model.safetensors');
    await expect(client.inspectModel(address('acme/strange'))).rejects.toThrow('mamba');
    await expect(client.downloadModel(address('acme/none'))).rejects.toThrow('no public model acme/none');
    expect(hub.asked.map(({ path }) => path)).not.toContain('model.safetensors');
    expect(await directory.folders()).toEqual([]);
  });

  it('is downloaded, listed, opened with options, and removed', async () => {
    const { client, address, opened } = await setup();
    const told: DownloadProgress[] = [];
    const model = await client.downloadModel(address(), (progress) => told.push(progress));
    expect(model.complete).toBe(true);
    expect(told.at(-1)).toMatchObject({ id: model.id, bytes: model.bytes, total: model.bytes });
    expect(await client.storedModels()).toEqual([model]);
    const loading: LoadProgress[] = [];
    const name = `store:${model.id}`;
    await client.openChatModel({ name, options: { quant: 'q4_0' } }, (progress) => loading.push(progress));
    expect(opened).toEqual([{ name: 'acme/tiny', options: { quant: 'q4_0' } }]);
    expect(loading).toEqual([{ bytes: 2, total: 2 }]);
    await client.removeModel(model.id);
    expect(await client.storedModels()).toEqual([]);
    await expect(client.openChatModel(name)).rejects.toThrow('no longer stored');
  });

  it('is cancelled by a signal or by its id, and gone on with from the list', async () => {
    const { client, hub, address } = await setup(({ path }) =>
      path === 'model.safetensors' ? { kind: 'slow', rate: 1_000_000 } : undefined,
    );
    const abort = new AbortController();
    const first = client.downloadModel(
      address(),
      ({ file, bytes, total }) => {
        if (file === 'model.safetensors' && bytes > total / 10) abort.abort();
      },
      abort.signal,
    );
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    const [partly] = await client.storedModels();
    expect(partly).toMatchObject({ complete: false });
    const second = client.downloadModel({ kind: 'stored', id: partly!.id }, ({ phase, bytes }) => {
      if (phase === 'downloading' && bytes > partly!.storedBytes) void client.cancelDownload(partly!.id);
    });
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    hub.options.fault = () => undefined;
    const model = await client.downloadModel({ kind: 'stored', id: partly!.id });
    expect(model).toMatchObject({ id: partly!.id, complete: true });
  });

  it('says through its progress that a broken connection is tried again', async () => {
    const { client, address } = await setup(({ path, count }) =>
      path === 'model.safetensors' && count < 2 ? { kind: 'cut', after: 100_000 } : undefined,
    );
    const notices: string[] = [];
    await client.downloadModel(address(), ({ notice }) => notice && notices.push(notice));
    expect(notices.join()).toContain('Trying again');
  });
});

describe('adapters of a stored model', () => {
  const configOf = (id: string): RunConfig => ({
    ...configForModel(defaultRunConfig, `store:${id}`),
    max_completion_length: 64,
    max_steps: 2,
    eval_steps: 0,
  });

  it('are trained, exported, and talked to, now and later', async () => {
    const { client, address, opened, sessions, storage, closed } = await setup();
    const { id } = await client.downloadModel(address());
    const config = configOf(id);
    expect(await client.plan(config)).toEqual({ weights: 2, total: 7 });
    await client.openChatModel(config.model);

    const events: RunEvent[] = [];
    const warnings: string[] = [];
    const loading: PrepareProgress[] = [];
    const trainer = client.createTrainer(
      (message) => warnings.push(message),
      (progress) => loading.push(progress),
    );
    await trainer.start(config, (event) => events.push(event));
    expect(sessions).toEqual([{ config, model: 'acme/tiny' }]);
    expect(events[0]).toMatchObject({ type: 'started', model: { name: 'acme/tiny' } });
    // What was open for chat gave its memory up.
    expect(closed()).toBe(1);
    await vi.waitFor(() => expect([...loading, ...warnings]).toEqual([{ bytes: 2, total: 2 }, expect.any(String)]));

    await trainer.step();
    const folder = await trainer.exportModel();
    expect([...folder.keys()]).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const peft = JSON.parse(new TextDecoder().decode(folder.get('adapter_config.json'))) as unknown;
    expect(peft).toMatchObject({ base_model_name_or_path: 'acme/tiny', r: 1 });
    await trainer.currentChatModel();
    await trainer.stop();
    const started = events[0] as StartedEvent;
    await storage.create(started);
    await client.openChatModel({ name: `run:${started.run_id}@1`, options: { context: 100 } });
    const asked = opened.map(({ name, options }) => [name, options.context, options.adapter?.files.length]);
    expect(asked).toEqual([
      ['acme/tiny', undefined, undefined],
      ['acme/tiny', undefined, 2],
      ['acme/tiny', 100, 2],
    ]);
    const again = client.createTrainer();
    await expect(again.start({ ...config, model: `run:${started.run_id}@1` }, () => {})).rejects.toThrow(
      /are adapters of a downloaded model/,
    );
  });

  it('are refused of a model that is gone, or too small to need them', async () => {
    const { client } = await setup();
    await expect(client.createTrainer().start(configOf('gone'), () => {})).rejects.toThrow('no longer stored');
  });
});

describe("the user's own files", () => {
  it('are opened where they are, without a copy in the store', async () => {
    const { client, opened } = await setup();
    const files = Object.entries(repos['acme/tiny']!).map(
      ([path, file]) => new File([file.read(0, file.bytes) as Uint8Array<ArrayBuffer>], path),
    );
    await client.openChatModel({ files, options: {} });
    expect(opened).toEqual([{ name: 'chosen files', options: {} }]);
    expect(await client.storedModels()).toEqual([]);
  });
});
