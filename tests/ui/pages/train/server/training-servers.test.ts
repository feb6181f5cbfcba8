/** @file Choosing a training server for a run, uploading a data set to it and starting a run, against a fake sidecar. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defaultRunConfig } from '../../../../../src/runs/config';
import { ServerKey } from '../../../../../src/servers/key';
import type { ServerRecord } from '../../../../../src/servers/server-store';
import { TrainingServers } from '../../../../../src/ui/pages/train/server/training-servers.svelte';
import { FAKE_TOKEN, startFakeSidecar, type FakeSidecar } from '../../../../support/fake-sidecar';

let sidecar: FakeSidecar | undefined;
afterEach(async () => {
  await sidecar?.close();
  sidecar = undefined;
});

const finding = { title: 'Nothing answers', text: 'It is off.', remedies: [] };

/** The page's servers: one that trains, and one that only answers prompts. */
async function start(change: Parameters<typeof startFakeSidecar>[0] = {}) {
  sidecar = await startFakeSidecar(change);
  const { url } = sidecar;
  const records: ServerRecord[] = [
    { id: 'a', kind: 'tinythink-remote', url, label: 'box', added: 1 },
    { id: 'b', kind: 'vllm', url: 'http://localhost:1', label: 'chat', added: 2 },
  ];
  const store = {
    list: vi.fn(() => Promise.resolve(records)),
    open: vi.fn((record: ServerRecord) => Promise.resolve({ ...record, key: new ServerKey(record.url, FAKE_TOKEN) })),
    save: vi.fn(),
  };
  const diagnose = vi.fn(() => Promise.resolve(finding));
  const servers = new TrainingServers(store, { diagnose });
  await servers.load();
  return { servers, sidecar, url, store, diagnose };
}

describe('choosing a server', () => {
  it('offers only training servers, and sends nothing before one is chosen', async () => {
    const { servers, sidecar } = await start();
    expect(servers.records.map(({ label }) => label)).toEqual(['box']);
    expect(servers.chosen).toBeNull();
    expect(sidecar.requests).toEqual([]);
  });

  it('shows what it offers, with its key sent along', async () => {
    const { servers, sidecar, url } = await start();
    const choosing = servers.choose(url);
    expect(servers.chosen).toMatchObject({ status: 'connecting', info: null });
    await choosing;
    expect(servers.chosen).toMatchObject({ status: 'ready', info: { gpus: 2 }, datasets: [], finding: null });
    expect(sidecar.requests.map(({ path }) => path).sort()).toEqual(['/datasets', '/info']);
    expect(sidecar.requests.every(({ headers }) => headers.authorization === `Bearer ${FAKE_TOKEN}`)).toBe(true);
  });

  it('says why a server can’t be used', async () => {
    const { servers, url, diagnose } = await start({
      refuse: { status: 401, detail: 'the token is missing or wrong' },
    });
    await servers.choose(url);
    expect(servers.chosen).toMatchObject({ status: 'failed', info: null, finding });
    expect(diagnose.mock.calls[0]).toMatchObject([{ url }, { code: 'auth' }, {}]);
  });

  it('goes back to this browser, and an answer that comes later changes nothing', async () => {
    const { servers, url } = await start();
    const choosing = servers.choose(url);
    await servers.choose('');
    expect(servers.chosen).toBeNull();
    await choosing;
    expect(servers.chosen).toBeNull();
  });

  it('finds no servers where the browser stores nothing', async () => {
    const { store, servers } = await start();
    store.list.mockRejectedValueOnce(new Error('no storage'));
    await servers.load();
    expect(servers.records).toEqual([]);
  });

  it('lists the runs of the chosen server only', async () => {
    const { servers, url, sidecar } = await start();
    expect(await servers.runs()).toEqual([]);
    await servers.choose(url);
    expect((await servers.runs()).map(({ id }) => id)).toEqual([sidecar.run.id]);
  });
});

describe('uploading a data set', () => {
  const file = (text: string) => new File([text], 'problems.jsonl');

  it('gives the name of its task, and adds it to the list', async () => {
    const { servers, url } = await start();
    await servers.choose(url);
    const task = await servers.upload(file('{"prompt":"1+1?","answer":"2"}\n'));
    expect(task).toMatch(/^dataset:[0-9a-f]{16}$/);
    expect(servers.chosen!.datasets).toMatchObject([{ task, rows: 1 }]);
  });

  it('repeats the server’s reason for a file that it refuses', async () => {
    const { servers, url, sidecar } = await start();
    await servers.choose(url);
    sidecar.refuse = { status: 422, detail: [{ field: '', message: 'line 1: not JSON' }] };
    await expect(servers.upload(file('x'))).rejects.toThrow('problems.jsonl: Line 1: not JSON.');
    expect(servers.chosen!.datasets).toEqual([]);
  });

  it('needs a server, and a file that isn’t too large', async () => {
    const { servers, url, sidecar } = await start();
    await expect(servers.upload(file('x'))).rejects.toThrow('Choose a server');
    await servers.choose(url);
    const before = sidecar.requests.length;
    const large = Object.assign(file('x'), {});
    Object.defineProperty(large, 'size', { value: (64 << 20) + 1 });
    await expect(servers.upload(large)).rejects.toThrow('64 MiB');
    expect(sidecar.requests).toHaveLength(before);
  });
});

describe('deleting', () => {
  it('deletes a run and a data set of a server, also when another one is chosen by then', async () => {
    const { servers, url, sidecar } = await start();
    await servers.choose(url);
    const task = await servers.upload(new File(['{"prompt":"1+1?","answer":"2"}\n'], 'problems.jsonl'));
    expect(await servers.datasets(url)).toMatchObject([{ task }]);
    await servers.deleteDataset(url, task);
    expect(servers.chosen!.datasets).toEqual([]);
    expect(await servers.datasets(url)).toEqual([]);
    await servers.choose('');
    await servers.deleteRun(url, sidecar.run.id);
    expect(sidecar.deleted).toBe(true);
    expect(sidecar.requests.every(({ headers }) => headers.authorization === `Bearer ${FAKE_TOKEN}`)).toBe(true);
  });

  it('repeats why the server doesn’t', async () => {
    const { servers, url, sidecar } = await start();
    sidecar.refuse = { status: 409, detail: 'Run b is trained on this data set and has not ended. Stop it first.' };
    await expect(servers.deleteDataset(url, 'dataset:0123456789abcdef')).rejects.toThrow('Stop it first.');
    await expect(servers.deleteRun('http://localhost:9', sidecar.run.id)).rejects.toThrow();
  });

  it('offers no data set that the server can’t read', async () => {
    const { servers, url, sidecar } = await start();
    sidecar.datasets.add('dataset:00000000000000aa');
    await servers.choose(url);
    expect(servers.chosen!.datasets).toHaveLength(1);
    sidecar.broken = 'aa.json can’t be read.';
    await servers.choose(url);
    expect(servers.chosen!.datasets).toEqual([]);
    expect(await servers.datasets(url)).toMatchObject([{ problem: 'aa.json can’t be read.' }]);
  });
});

describe('starting a run', () => {
  it('creates it paused, with only the options that the server offers', async () => {
    const { servers, url, sidecar } = await start();
    await servers.choose(url);
    const started = await servers.start(defaultRunConfig, { num_processes: 2, use_vllm: false, lora: { r: 8 } });
    expect(started).toEqual({ id: sidecar.run.id });
    const body = JSON.parse(sidecar.requests.at(-1)!.body) as Record<string, Record<string, unknown>>;
    expect(body.paused).toBe(true);
    // The fake server has no vLLM and no DeepSpeed.
    expect(body.remote).toEqual({ launcher: 'accelerate', num_processes: 2, sharding: 'none', lora: { r: 8 } });
    expect(Object.keys(body.config!).filter((key) => /cold_start|lora/.test(key))).toEqual([]);
  });

  it('gives the settings that were refused', async () => {
    const { servers, url, sidecar } = await start();
    expect(await servers.start(defaultRunConfig, {})).toMatchObject({ problems: [{ field: '*' }] });
    await servers.choose(url);
    sidecar.refuse = { status: 422, detail: [{ field: 'config.max_steps', message: 'must be at least 1' }] };
    expect(await servers.start(defaultRunConfig, {})).toEqual({
      problems: [{ field: 'max_steps', message: 'Must be at least 1.' }],
    });
  });
});
