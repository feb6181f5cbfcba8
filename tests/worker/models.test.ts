/** Models through page and worker: looked at, downloaded from a hub on this machine, listed, opened, removed. */
import 'fake-indexeddb/auto';
import { expose } from 'comlink';
import { afterEach, describe, expect, it } from 'vitest';
import { parseDecoderConfig } from '../../src/formats/hf-config';
import type { ModelFiles, OpenedModel } from '../../src/formats/model-files';
import { MemoryDirectory, readAll } from '../../src/formats/store-directory';
import type { DownloadProgress } from '../../src/formats/stored-model';
import type { LoadOptions, LoadProgress } from '../../src/runs/load-options';
import { RunStorage } from '../../src/runs/storage';
import { EngineClient } from '../../src/worker/client';
import { EngineHost } from '../../src/worker/host';
import type { EngineParts } from '../../src/worker/host';
import { WorkerModels } from '../../src/worker/models';
import { folderFiles, madeUpCheckpoint, startHubServer, textFile } from '../support/hub-server';
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

async function setup(fault?: (asked: Asked) => Fault | undefined) {
  const hub = await startHubServer({ repos, ...(fault && { fault }), info: { cardData: { license: 'mit' } } });
  const directory = new MemoryDirectory();
  const opened: { name: string; options: LoadOptions }[] = [];
  const parts = {
    openModel,
    createLargePolicy: (model: OpenedModel, options: LoadOptions, onProgress: (progress: LoadProgress) => void) => {
      opened.push({ name: model.name, options });
      onProgress({ bytes: 2, total: 2 });
      return Promise.resolve({ name: model.name, async *generate() {}, close() {} });
    },
  } as unknown as EngineParts;
  const { port1, port2 } = new MessageChannel();
  const models = new WorkerModels(openModel, () => Promise.resolve(directory), { backoff: 1 });
  expose(new EngineHost(parts, new RunStorage('models-test'), models), port2);
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
  return { client, hub, directory, address, opened };
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
    await client.openPolicy({ name, options: { quant: 'q4_0' } }, (progress) => loading.push(progress));
    expect(opened).toEqual([{ name: 'acme/tiny', options: { quant: 'q4_0' } }]);
    expect(loading).toEqual([{ bytes: 2, total: 2 }]);
    await client.removeModel(model.id);
    expect(await client.storedModels()).toEqual([]);
    await expect(client.openPolicy(name)).rejects.toThrow('no longer stored');
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
    expect(notices.join()).toContain('trying again');
  });
});

describe("the user's own files", () => {
  it('are opened where they are, without a copy in the store', async () => {
    const { client, opened } = await setup();
    const files = Object.entries(repos['acme/tiny']!).map(
      ([path, file]) => new File([file.read(0, file.bytes) as Uint8Array<ArrayBuffer>], path),
    );
    await client.openPolicy({ files, options: {} });
    expect(opened).toEqual([{ name: 'chosen files', options: {} }]);
    expect(await client.storedModels()).toEqual([]);
  });
});
