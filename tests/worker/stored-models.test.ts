/** @file Downloaded models through page and worker: downloaded, opened with options, and trained with adapters. */
import 'fake-indexeddb/auto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ModelDownloads } from '../../src/engine/library/downloads';
import type { LoadProgress } from '../../src/engine/load-options';
import type { OpenChatOptions } from '../../src/engine/open';
import { peftTensors } from '../../src/formats/hf/peft';
import { MemoryDirectory } from '../../src/formats/hub/store/store-directory';
import type { DownloadProgress } from '../../src/formats/hub/stored-model';
import type { Model } from '../../src/formats/model';
import { loraTargets } from '../../src/model/lora/lora-layout';
import { encodeCheckpoint } from '../../src/rl/checkpoint';
import type { RunConfig } from '../../src/rl/config';
import { configForModel, defaultRunConfig } from '../../src/runs/config';
import type { RunEvent, StartedEvent } from '../../src/runs/events';
import type { RunStatus } from '../../src/runs/trainer';
import { RunStorage } from '../../src/storage/run-storage';
import { TestEngine } from '../runs/fixtures';
import { folderFiles, startHubServer, type Asked, type Fault } from '../support/hub-server';
import { clientOf } from '../support/worker';

/** A model that reads language. */
const repos = { 'acme/tiny': folderFiles('tests/goldens/checkpoints/smollm2') };

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** The test engine, with checkpoints of adapters: one of rank 1 on the first layer's query projection. */
class TestAdapters extends TestEngine {
  override checkpoint(): Promise<Uint8Array> {
    const { name, inFeatures, outFeatures } = loraTargets(this.model.config)[0]!;
    const values = { a: new Float32Array(inFeatures).fill(this.state), b: new Float32Array(outFeatures).fill(1) };
    const lora = { r: 1, lora_alpha: 2, target_modules: ['q_proj'] as const };
    return Promise.resolve(
      encodeCheckpoint({
        ...{ updates: 0, tokens: 0, moments: new Float32Array(2), reference: [] },
        parameters: peftTensors([[name, values]], 1),
        adapter: { lora, base_model: this.model.baseName ?? this.model.name },
      }),
    );
  }
}

const request = {
  messages: [{ role: 'user' as const, content: 'Hello' }],
  ...{ max_tokens: 5, temperature: 1, top_k: 0, top_p: 1, seed: 0 },
};

let count = 0;
async function setup(fault?: (asked: Asked) => Fault | undefined) {
  const hub = await startHubServer({ repos, ...(fault && { fault }) });
  const opened: { model: Model; options: OpenChatOptions }[] = [];
  const sessions: { config: RunConfig; model: Model }[] = [];
  const state = { closed: 0 };
  const engine = {
    openTraining(model: Model, config: RunConfig, tell: { status(status: RunStatus): void }) {
      sessions.push({ config, model });
      tell.status({ kind: 'loading', bytes: 2, total: 2 });
      return Promise.resolve(new TestAdapters(config, model));
    },
    planRun: (model: Model) => Promise.resolve({ weights: model.bytes, total: 7 }),
    openChatModel(model: Model, options: OpenChatOptions = {}) {
      opened.push({ model, options });
      options.onProgress?.({ bytes: 2, total: 2 });
      return Promise.resolve({ name: model.name, async *generate() {}, close: () => void state.closed++ });
    },
  };
  const downloads = new ModelDownloads(() => Promise.resolve(new MemoryDirectory()), { backoff: 1 });
  const storage = new RunStorage(`stored-models-${count++}`);
  const { client, close } = clientOf({ engine, storage, downloads });
  cleanUps.push(close, () => hub.close());
  const address = { kind: 'hub', repo: 'acme/tiny', endpoint: hub.endpoint } as const;
  return { client, hub, address, opened, sessions, storage, state };
}

describe('a model on the hub', () => {
  it('is downloaded, listed, opened with options, and removed', async () => {
    const { client, address, opened } = await setup();
    const reported: DownloadProgress[] = [];
    const model = await client.downloadModel(address, (progress) => reported.push(progress));
    expect(reported.at(-1)).toMatchObject({ id: model.id, bytes: model.bytes, total: model.bytes });
    expect(await client.storedModels()).toEqual([model]);
    const loading: LoadProgress[] = [];
    const name = `store:${model.id}`;
    await client.openChatModel(name, { quant: 'q4_0', onProgress: (progress) => loading.push(progress) });
    expect(opened).toMatchObject([{ model: { name: 'acme/tiny', adapter: null }, options: { quant: 'q4_0' } }]);
    // Everything that the call reported is here before its answer.
    expect(loading).toEqual([{ bytes: 2, total: 2 }]);
    expect(await client.describeModel({ name })).toEqual({
      name: 'acme/tiny',
      readsLanguage: true,
      adapter: false,
      context: 512,
    });
    await client.removeModel(model.id);
    expect(await client.storedModels()).toEqual([]);
    await expect(client.openChatModel(name)).rejects.toThrow('no longer stored');
  });

  it('stops downloading when the page’s signal aborts', async () => {
    const { client, address } = await setup(({ path, from }) =>
      path === 'model.safetensors' && from === 0 ? { kind: 'slow', rate: 100_000 } : undefined,
    );
    const abort = new AbortController();
    const stopEarly = ({ file, bytes }: DownloadProgress) => {
      if (file === 'model.safetensors' && bytes > 0) abort.abort();
    };
    await expect(client.downloadModel(address, stopEarly, abort.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect((await client.storedModels()).some(({ complete }) => complete)).toBe(false);
  });
});

describe('adapters of a stored model', () => {
  const configOf = (model: string): RunConfig => ({
    ...configForModel(defaultRunConfig, model),
    max_completion_length: 64,
    max_steps: 2,
    eval_steps: 0,
    lora_r: 4,
  });

  it('are trained, exported, talked to, and trained further', async () => {
    const { client, address, opened, sessions, storage, state } = await setup();
    const { id } = await client.downloadModel(address);
    const config = configOf(`store:${id}`);
    expect(await client.planRun(config)).toMatchObject({ total: 7 });
    const chat = await client.openChatModel(config.model);

    const events: RunEvent[] = [];
    const warnings: string[] = [];
    const statuses: RunStatus[] = [];
    const trainer = client.createTrainer();
    await trainer.start(config, {
      event: (event) => void events.push(event),
      warning: (message) => void warnings.push(message),
      status: (status) => void statuses.push(status),
    });
    expect(sessions).toMatchObject([{ config, model: { name: 'acme/tiny' } }]);
    expect(events[0]).toMatchObject({ type: 'started', model: { name: 'acme/tiny' } });
    // What was open for chat gave up its memory.
    expect(state.closed).toBe(1);
    await vi.waitFor(() => expect(warnings).toEqual([expect.stringMatching(/was closed/)]));
    const answer = chat.generate(request, new AbortController().signal)[Symbol.asyncIterator]();
    await expect(answer.next()).rejects.toThrow(/has been closed/);
    expect(statuses).toEqual([{ kind: 'loading', bytes: 2, total: 2 }]);

    await trainer.step();
    const folder = await trainer.exportModel();
    expect([...folder.keys()]).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const peft = JSON.parse(new TextDecoder().decode(folder.get('adapter_config.json'))) as unknown;
    expect(peft).toMatchObject({ base_model_name_or_path: 'acme/tiny', r: 1 });
    await trainer.openChatModel!('start');
    await trainer.openChatModel!('current');
    await trainer.stop();
    const started = events[0] as StartedEvent;
    await storage.create(started);
    const trained = `run:${started.run_id}@1`;
    await client.openChatModel(trained, { context: 100 });
    const asked = opened.map(({ model, options }) => [options.context, model.adapter?.modules.size]);
    expect(asked).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      [undefined, 1],
      [100, 1],
    ]);
    const again = client.createTrainer();
    await again.start({ ...config, model: trained }, { event: () => {} });
    expect(sessions[1]!.model).toMatchObject({ name: trained, baseName: 'acme/tiny' });
    expect(sessions[1]!.model.adapter!.modules.size).toBe(1);
    await again.stop();
  });

  it('are refused for a model that is gone', async () => {
    const { client } = await setup();
    await expect(client.createTrainer().start(configOf('store:gone'), { event: () => {} })).rejects.toThrow(
      'no longer stored',
    );
  });
});

describe("the user's own files", () => {
  it('are opened where they are, without a copy in the store', async () => {
    const { client, opened } = await setup();
    const files = Object.entries(repos['acme/tiny']).map(
      ([path, file]) => new File([file.read(0, file.bytes) as Uint8Array<ArrayBuffer>], path),
    );
    await client.openChatModel({ files });
    expect(opened).toMatchObject([{ model: { name: 'chosen files', adapter: null } }]);
    expect(await client.storedModels()).toEqual([]);
  });
});
