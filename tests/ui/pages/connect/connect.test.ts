/** @file The Connect page's logic: adding, asking, keys, removing; and models on servers among the others. */
import { formatModelId, parseModelId } from '../../../../src/runs/model-id';
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BrowserPage } from '../../../../src/servers/diagnose';
import { RemoteError } from '../../../../src/servers/errors';
import { ServerStore } from '../../../../src/servers/server-store';
import type { SidecarInfo } from '../../../../src/servers/training/sidecar-schema';
import { listModels, namedModel } from '../../../../src/ui/pages/chat/models/models';
import { serverClient, type ServerClient } from '../../../../src/ui/pages/connect/server-client';
import { ConnectState, type NewServer } from '../../../../src/ui/pages/connect/connect-state.svelte';
import { ModelLists } from '../../../../src/ui/pages/connect/model-lists';
import { openRemote, remoteModels } from '../../../../src/ui/pages/connect/remote-models';

const SECRET = 'sk-very-secret';
const URL_A = 'http://127.0.0.1:8000';

/** Local storage in memory. */
function memory(start: Record<string, string> = {}) {
  const items = new Map(Object.entries(start));
  return {
    items,
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => void items.set(name, value),
  };
}

const form = (change: Partial<NewServer> = {}): NewServer => ({
  address: URL_A,
  secret: SECRET,
  keep: false,
  kind: 'auto',
  label: '',
  ...change,
});

const models = [{ id: 'big/model', context: 4096 }, { id: 'small' }];

const training: SidecarInfo = {
  name: 'tinythink-remote',
  version: '0.1.0',
  models: ['tinythink-1m'],
  hub: [],
  tasks: ['sum'],
  rewards: ['accuracy'],
  gpus: 0,
  vllm: false,
  deepspeed: false,
  peft: true,
};

/** Servers that answer as they are told to. */
function answering<T extends Partial<ServerClient>>(change?: T) {
  const asking = {
    find: vi.fn<ServerClient['find']>((url) =>
      Promise.resolve({ server: { kind: 'vllm', url, label: '127.0.0.1:8000', key: null }, models }),
    ),
    models: vi.fn<ServerClient['models']>(() => Promise.resolve(models)),
    info: vi.fn<ServerClient['info']>(() => Promise.resolve(training)),
    runs: vi.fn<ServerClient['runs']>(() => Promise.resolve([])),
    diagnose: vi.fn<ServerClient['diagnose']>(() => Promise.resolve({ title: 'Dead', text: 'Gone.', remedies: [] })),
  };
  return { ...asking, ...change } as typeof asking & T;
}

let count = 0;
let store: ServerStore;
let local: ReturnType<typeof memory>;
beforeEach(() => {
  store = new ServerStore(`connect-${++count}`);
  local = memory();
});
afterEach(() => vi.useRealTimers());

const state = (asking: ServerClient = answering()) =>
  new ConnectState(store, new ModelLists(local), asking, () => `id-${++count}`);

describe('ConnectState', () => {
  it('asks nobody until it is told to', async () => {
    const first = state();
    await first.add(form());
    const asking = answering();
    const again = state(asking);
    await again.load();
    expect(again.rows.map(({ record, models: has, status }) => [record.url, has?.length, status])).toEqual([
      [URL_A, 2, 'idle'],
    ]);
    for (const ask of Object.values(asking)) expect(ask).not.toHaveBeenCalled();
  });

  it('adds what answers, with its models, under the name that the user gave', async () => {
    const connect = state();
    expect(await connect.add(form({ label: ' Mine ' }))).toBe(true);
    expect(connect.done).toBe('Mine is connected, with 2 models.');
    expect(connect.rows[0]).toMatchObject({ record: { label: 'Mine', kind: 'vllm' }, key: 'memory', status: 'ready' });
    await connect.add(form({ label: 'Same' }));
    expect(connect.rows.map(({ record }) => record.label)).toEqual(['Same']);
  });

  it('a key is kept only when asked to, and is nowhere else', async () => {
    const connect = state();
    await connect.add(form());
    expect(JSON.stringify([connect.rows, await store.list(), [...local.items]])).not.toContain(SECRET);
    expect(await new ServerStore(`connect-${count - 1}`).keyState(connect.rows[0]!.record)).toBe('none');
    const { id } = connect.rows[0]!.record;
    await connect.setKey(id, SECRET, true);
    expect(connect.rows[0]!.key).toBe('kept');
    await connect.setKey(id, '', false);
    expect(connect.rows[0]!.key).toBe('none');
    expect(connect.done).toContain('removed');
  });

  it('shows why nothing was added, and adds nothing', async () => {
    const finding = { title: 'Nothing answers', text: 'It is off.', remedies: [{ text: 'Start it.', command: 'go' }] };
    const connect = state(answering({ find: () => Promise.resolve(finding) }));
    expect(await connect.add(form())).toBe(false);
    expect(connect.finding).toEqual(finding);
    expect(await store.list()).toEqual([]);
    const chosen = state(answering({ models: () => Promise.reject(new RemoteError('unreachable', 'no')) }));
    await chosen.add(form({ kind: 'ollama' }));
    expect(chosen.finding?.title).toBe('Dead');
    await chosen.add(form({ kind: 'ollama', address: 'ftp://x' }));
    expect(chosen.finding?.text).toContain('http://');
  });

  it('adds a server that trains, whose models are nobody’s to ask', async () => {
    const asking = answering();
    const connect = state(asking);
    const address = 'http://127.0.0.1:8790';
    expect(await connect.add(form({ address, kind: 'tinythink-remote' }))).toBe(true);
    expect(connect.done).toBe('127.0.0.1:8790 is connected, with 1 model to train.');
    expect(asking.models).not.toHaveBeenCalled();
    const { id } = connect.rows[0]!.record;
    await connect.refresh(id);
    expect(connect.rows[0]).toMatchObject({ training: { models: ['tinythink-1m'] }, status: 'ready' });
    expect(await remoteModels(store, new ModelLists(local))).toEqual([]);
    await expect(
      openRemote(formatModelId({ kind: 'server', server: id, model: 'tinythink-1m' }), store, new ModelLists(local)),
    ).rejects.toThrow('does not answer prompts');
    expect(JSON.stringify([connect.rows, await store.list(), [...local.items]])).not.toContain(SECRET);
  });

  it('can be cancelled', async () => {
    const find: ServerClient['find'] = (_address, _secret, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    const connect = state(answering({ find }));
    const added = connect.add(form());
    expect(connect.adding).toBe(true);
    connect.cancel();
    expect(await added).toBe(false);
    expect([connect.adding, connect.finding]).toEqual([false, null]);
  });

  it('asks again, and keeps the old list when that fails', async () => {
    const asking = answering();
    const connect = state(asking);
    await connect.add(form());
    const { id } = connect.rows[0]!.record;
    asking.models.mockResolvedValueOnce([{ id: 'new' }]);
    await connect.refresh(id);
    expect(connect.rows[0]!.models?.map((model) => model.id)).toEqual(['new']);
    asking.models.mockRejectedValueOnce(new Error('no'));
    await connect.refresh(id);
    expect(connect.rows[0]).toMatchObject({ status: 'failed', finding: { title: 'Dead' } });
    expect(new ModelLists(local).get(id)).toEqual([{ id: 'new' }]);
  });

  it('removes with a way back', async () => {
    const connect = state();
    await connect.add(form());
    const { id } = connect.rows[0]!.record;
    await connect.remove(id);
    expect(connect.shown).toEqual([]);
    connect.removal.undo();
    expect(connect.shown).toHaveLength(1);
    await connect.remove(id);
    await connect.removal.flush();
    expect(await store.list()).toEqual([]);
    expect(new ModelLists(local).get(id)).toBeNull();
  });
});

describe('ModelLists', () => {
  it.each(['not json', '[]', '{"a":[{"id":7}]}', '{"a":"x"}'])('reads nothing from %s', (text) => {
    expect(new ModelLists(memory({ 'tinythink:server-models': text })).get('a')).toBeNull();
  });
});

describe('models on servers', () => {
  it('are listed without a request and without a key in their id', async () => {
    const connect = state();
    await connect.add(form());
    const { id } = connect.rows[0]!.record;
    const listed = await remoteModels(store, new ModelLists(local));
    expect(listed.map(({ label }) => label)).toEqual(['big/model · 127.0.0.1:8000', 'small · 127.0.0.1:8000']);
    expect(parseModelId(listed[0]!.id)).toEqual({ kind: 'server', server: id, model: 'big/model' });
    expect(JSON.stringify(listed)).not.toContain(SECRET);
    const policy = await openRemote(listed[0]!.id, store, new ModelLists(local));
    expect(policy.name).toBe('big/model');
    await store.delete(id);
    await expect(openRemote(listed[0]!.id, store, new ModelLists(local))).rejects.toThrow('Connect page');
  });

  it('stand among the others, and are known by their id alone', async () => {
    const none = { list: () => Promise.reject(new Error()), checkpointSteps: vi.fn(), modelNames: vi.fn() };
    const id = formatModelId({ kind: 'server', server: 's-1', model: 'a:b/c' });
    const found = await listModels({ storage: none, remote: () => Promise.resolve([namedModel(id)]) });
    expect(found.map((model) => model.group)).toEqual(['tiny', 'servers']);
    expect(namedModel(id)).toMatchObject({ label: 'a:b/c', toy: false });
    expect(parseModelId('store:remote:x')).toBeNull();
    const broken = await listModels({ storage: none, remote: () => Promise.reject(new Error('no storage')) });
    expect(broken).toHaveLength(1);
  });
});

describe('asking', () => {
  const never = new AbortController().signal;
  const page = (ask: typeof fetch): BrowserPage => ({
    origin: 'http://localhost:4000',
    onLine: true,
    permission: () => Promise.resolve(null),
    fetch: ask,
  });

  it('says of a dead server that it is, and of CORS which flag mends it', async () => {
    const dead = serverClient(() => page(() => Promise.reject(new TypeError('Failed to fetch'))));
    expect(await dead.find(URL_A, '', never)).toMatchObject({ title: 'Nothing answers' });
    const closed = serverClient(() =>
      page((_, init) =>
        init?.mode === 'no-cors' ? Promise.resolve(new Response('')) : Promise.reject(new TypeError('Failed to fetch')),
      ),
    );
    const finding = await closed.diagnose({ kind: 'vllm', url: URL_A, label: 'x' }, new Error('no'), never);
    expect(finding.title).toBe('The server does not allow this page');
    expect(finding.remedies[0]!.command).toBe(`--allowed-origins '["http://localhost:4000"]'`);
  });

  it('tells a server of another kind', async () => {
    const list = { data: [{ id: 'm', owned_by: 'vllm' }] };
    const vllm = serverClient(() => page(() => Promise.resolve(Response.json(list))));
    const finding = await vllm.diagnose({ kind: 'tgi', url: URL_A, label: 'x' }, new Error('Not TGI.'), never);
    expect(finding.text).toMatch(/^Not TGI\. .*vLLM/);
  });
});
