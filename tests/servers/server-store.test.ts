/** @file The user's servers as they are kept: where a key is, and where it never is. */
import 'fake-indexeddb/auto';
import { createStore, entries, set } from 'idb-keyval';
import { beforeEach, describe, expect, it } from 'vitest';
import { ServerStore, type ServerRecord } from '../../src/servers/server-store';

const SECRET = 'sk-0123456789abcdef';
const record: ServerRecord = { id: 'a', kind: 'vllm', url: 'http://localhost:8000', label: 'my server', added: 1 };

let count = 0;
let name = '';
beforeEach(() => void (name = `servers-${count++}`));

/** Everything that is stored, as text. */
async function stored(): Promise<string> {
  const all = [
    await entries(createStore(`${name}-servers`, 'servers')),
    await entries(createStore(`${name}-server-keys`, 'keys')),
  ];
  return JSON.stringify(all);
}

const headers = async (store: ServerStore, server: ServerRecord, url: string) => {
  const { key } = await store.open(server);
  return key?.headersFor(url) ?? {};
};

describe('a key', () => {
  it('stays in memory', async () => {
    const store = new ServerStore(name);
    await store.save(record, { secret: SECRET, keep: false });
    expect(await headers(store, record, 'http://localhost:8000/v1')).toEqual({ Authorization: `Bearer ${SECRET}` });
    expect(await store.keyState(record)).toBe('memory');
    expect(await stored()).not.toContain(SECRET);
    // Another visit knows the server and not the key.
    const later = new ServerStore(name);
    expect(await later.list()).toEqual([record]);
    expect(await later.keyState(record)).toBe('none');
  });

  it('is kept when the user says so, until the user says otherwise', async () => {
    await new ServerStore(name).save(record, { secret: SECRET, keep: true });
    const later = new ServerStore(name);
    expect(await later.keyState(record)).toBe('kept');
    expect(await headers(later, record, 'http://localhost:8000/')).toEqual({ Authorization: `Bearer ${SECRET}` });
    await later.save(record, { secret: SECRET, keep: false });
    expect(await later.keyState(record)).toBe('memory');
    expect(await stored()).not.toContain(SECRET);
    await later.save(record, { secret: SECRET, keep: true });
    await later.delete(record.id);
    expect(await stored()).not.toContain(SECRET);
    expect(await later.list()).toEqual([]);
  });

  it('does not move to another origin with its server', async () => {
    const store = new ServerStore(name);
    await store.save(record, { secret: SECRET, keep: true });
    const moved = { ...record, url: 'http://evil.example:8000' };
    expect((await store.open(moved)).key).toBeNull();
    await store.save(moved);
    expect((await store.open(moved)).key).toBeNull();
    expect(await stored()).not.toContain(SECRET);
    // Nor when the record was changed behind its back.
    await store.save(record, { secret: SECRET, keep: true });
    await set(record.id, moved, createStore(`${name}-servers`, 'servers'));
    const later = new ServerStore(name);
    expect((await later.open((await later.list())[0]!)).key).toBeNull();
    // A changed name or path is no other origin.
    await store.save({ ...record, label: 'other', url: 'http://localhost:8000/x' });
    expect(await store.keyState(record)).toBe('kept');
  });

  it('is in no export, and an import brings none and takes none', async () => {
    const store = new ServerStore(name);
    await store.save(record, { secret: SECRET, keep: true });
    const text = await store.export();
    expect(text).not.toContain(SECRET);
    expect(JSON.parse(text)).toEqual({ tinythink_servers: 1, servers: [record] });
    expect(await store.import(text)).toBe(0);
    const foreign = { ...record, url: 'http://evil.example', key: SECRET, secret: SECRET };
    expect(await store.import(JSON.stringify({ tinythink_servers: 1, servers: [foreign, foreign] }), () => 'b')).toBe(
      1,
    );
    const all = await store.list();
    expect(all.map(({ id, url }) => [id, url])).toEqual([
      ['a', record.url],
      ['b', 'http://evil.example'],
    ]);
    expect(Object.keys(all[1]!)).not.toContain('key');
    expect((await store.open(all[1]!)).key).toBeNull();
  });

  it('that is none is refused before anything is stored', async () => {
    const store = new ServerStore(name);
    await expect(store.save(record, { secret: 'not a key', keep: true })).rejects.toMatchObject({
      name: 'RemoteError',
    });
    expect(await store.list()).toEqual([]);
  });
});

describe('servers', () => {
  it('come in the order they were added; what is damaged is left out', async () => {
    const store = new ServerStore(name);
    await store.save({ ...record, id: 'late', added: 9 });
    await store.save({ ...record, prefix: '' });
    const raw = createStore(`${name}-servers`, 'servers');
    await set('x', { ...record, id: 'x', url: 'javascript://x' }, raw);
    await set('y', '<script>', raw);
    expect((await store.list()).map(({ id }) => id)).toEqual(['a', 'late']);
    expect((await store.open((await store.list())[0]!)).prefix).toBe('');
  });

  it('without an address, a kind or a name are refused', async () => {
    const store = new ServerStore(name);
    for (const wrong of [
      { url: 'x' },
      { url: 'http://a:b@x' },
      { label: '' },
      { kind: 'other' as never },
      { id: '../x' },
    ]) {
      await expect(store.save({ ...record, ...wrong })).rejects.toMatchObject({ code: 'address' });
    }
  });

  it('of a file that is none are refused', async () => {
    const store = new ServerStore(name);
    for (const text of ['', '{}', '{"tinythink_servers":1,"servers":[{"id":"a"}]}', '[]']) {
      await expect(store.import(text)).rejects.toThrow("isn't a file of servers");
    }
  });
});
