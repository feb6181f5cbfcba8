/** Downloads into the store: every fault ends in a retry or a clear error, and what is left is whole, usable or nothing. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openHubModel } from '../../../src/formats/hub/source/hub';
import { openChosenFiles } from '../../../src/formats/hub/source/chosen-files';
import { openUrlModel } from '../../../src/formats/hub/source/web-server';
import type { HttpOptions } from '../../../src/formats/hub/http/options';
import { MemoryDirectory, readAll } from '../../../src/formats/hub/store/store-directory';
import type { StoreDirectory } from '../../../src/formats/hub/store/store-directory';
import type { DownloadProgress } from '../../../src/formats/hub/stored-model';
import { WeightStore } from '../../../src/formats/hub/store/weight-store';
import type { WeightStoreOptions } from '../../../src/formats/hub/store/weight-store';
import { madeUpFile, startHubServer, textFile } from '../../support/hub-server';
import type { Asked, Fault, HubServer } from '../../support/hub-server';
import { diskDirectory } from './disk-directory';

const WEIGHTS = 'model.safetensors';
const BYTES = 5_000_001;
const facts = { architecture: 'LlamaForCausalLM', parameters: 1, quantisation: 'BF16' };
const repos = {
  'acme/small': {
    'config.json': textFile('{"model_type": "llama"}'),
    'tokenizer.json': textFile('{}'),
    [WEIGHTS]: madeUpFile(BYTES),
    'README.md': textFile('not part of it'),
  },
};

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function serve(fault?: (asked: Asked) => Fault | undefined): Promise<HubServer> {
  const hub = await startHubServer({ repos, ...(fault && { fault }) });
  cleanUps.push(() => hub.close());
  return hub;
}

/** One try after another at `model.safetensors` meets the faults in order; everything else goes well. */
const onWeights =
  (...faults: (Fault | undefined)[]) =>
  ({ path, count }: Asked) =>
    path === WEIGHTS ? faults[count] : undefined;
const always = (fault: Fault) => (asked: Asked) => (asked.path === WEIGHTS ? fault : undefined);

interface Attempt {
  directory?: StoreDirectory;
  options?: WeightStoreOptions;
  http?: HttpOptions;
  signal?: AbortSignal;
  onProgress?: (progress: DownloadProgress) => void;
}

async function download(hub: HubServer, attempt: Attempt = {}) {
  const { directory = new MemoryDirectory(), options, http, signal, onProgress } = attempt;
  const notices: string[] = [];
  const onNotice = (notice: string) => notices.push(notice);
  const address = { kind: 'hub', repo: 'acme/small', endpoint: hub.endpoint } as const;
  const source = await openHubModel(address, { backoff: 1, timeout: 200, onNotice, ...http });
  const store = new WeightStore(directory, options);
  const outcome = await store
    .download(source, facts, { ...(signal && { signal }), ...(onProgress && { onProgress }) })
    .then((model) => ({ model, error: null }))
    .catch((error: Error) => ({ model: null, error }));
  return { ...outcome, store, id: source.id, notices, directory };
}

/** The weights as stored have the hash that they should. */
async function isIntact(store: WeightStore, id: string): Promise<boolean> {
  const file = await (await store.files(id)).open(WEIGHTS);
  const bytes = await readAll(file!);
  const expected = repos['acme/small'][WEIGHTS]!.read(0, BYTES);
  const hash = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
  return hash(bytes) === hash(expected);
}

const isEmpty = async (directory: StoreDirectory) => (await directory.folders()).length === 0;

describe('a download without faults', () => {
  for (const kind of ['memory', 'disk'] as const) {
    it(`is stored whole, listed and removed (${kind})`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'tinythink-store-'));
      cleanUps.push(() => rmSync(folder, { recursive: true }));
      const directory = kind === 'memory' ? new MemoryDirectory() : await diskDirectory(folder);
      const told: DownloadProgress[] = [];
      const { model, store, id } = await download(await serve(), { directory, onProgress: (p) => told.push(p) });
      expect(model).toMatchObject({ name: 'acme/small', complete: true, storedBytes: BYTES + 25 });
      expect(await store.list()).toEqual([model]);
      expect(await (await store.files(id)).list()).toEqual(['config.json', 'tokenizer.json', WEIGHTS]);
      expect(await isIntact(store, id)).toBe(true);
      expect(told.at(-1)).toMatchObject({ file: WEIGHTS, bytes: BYTES + 25, total: BYTES + 25, id });
      expect(told.every(({ bytes }, i) => i === 0 || bytes >= told[i - 1]!.bytes)).toBe(true);
      await store.remove(id);
      expect(await isEmpty(directory)).toBe(true);
      await expect(store.files(id)).rejects.toThrow('no longer stored');
    });
  }

  it('asks for nothing twice', async () => {
    const hub = await serve();
    const { directory } = await download(hub);
    const before = hub.asked.length;
    expect((await download(hub, { directory })).model?.complete).toBe(true);
    expect(hub.asked.length).toBe(before);
  });
});

describe('what passes is tried again', () => {
  const faults: Record<string, Fault> = {
    'a 500': { kind: 'status', status: 500 },
    'a 429 that says when': { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
    'a cut connection': { kind: 'cut', after: 1_234_567 },
    'a cut before the first byte': { kind: 'cut', after: 0 },
    'a silent connection': { kind: 'silent', after: 70_000 },
  };
  for (const [name, fault] of Object.entries(faults)) {
    it(name, async () => {
      const { model, store, id, notices } = await download(await serve(onWeights(fault)));
      expect(model?.complete).toBe(true);
      expect(notices.join()).toContain('Trying again');
      expect(await isIntact(store, id)).toBe(true);
    });
  }

  it('from the byte after the last one that came', async () => {
    const hub = await serve(onWeights({ kind: 'cut', after: 2 << 20 }));
    await download(hub);
    const from = hub.asked.filter(({ path }) => path === WEIGHTS).map((asked) => asked.from);
    expect(from).toEqual([0, 2 << 20]);
  });

  it('after as long as Retry-After says', async () => {
    const fault: Fault = { kind: 'status', status: 503, headers: { 'retry-after': '1' } };
    const started = performance.now();
    const { model } = await download(await serve(onWeights(fault)));
    expect(model?.complete).toBe(true);
    expect(performance.now() - started).toBeGreaterThan(950);
  });

  it('but not for ever: what came is kept, and the next download goes on', async () => {
    const hub = await serve((asked) =>
      asked.path !== WEIGHTS
        ? undefined
        : asked.count === 0
          ? { kind: 'cut', after: 3 << 20 }
          : { kind: 'status', status: 500 },
    );
    const { error, store, id, directory } = await download(hub);
    expect(error).toMatchObject({ name: 'ConnectionError', message: expect.stringContaining('500') as string });
    expect(await store.get(id)).toMatchObject({ complete: false, storedBytes: 25 + (3 << 20) });
    await expect(store.files(id)).rejects.toThrow('isn’t complete');
    hub.options.fault = () => undefined;
    const asked = hub.asked.length;
    const phases = new Set<string>();
    const onProgress = ({ phase }: DownloadProgress) => phases.add(phase);
    const again = await download(hub, { directory, onProgress });
    expect(again.model?.complete).toBe(true);
    expect(hub.asked.slice(asked)).toMatchObject([{ path: WEIGHTS, from: 3 << 20 }]);
    expect([...phases]).toContain('checking');
    expect(await isIntact(store, id)).toBe(true);
  });
});

describe('what does not pass is said, and leaves nothing', () => {
  const cases: Record<string, { fault: Fault; says: string; keeps?: boolean }> = {
    'a flipped byte': { fault: { kind: 'flip', at: 4_000_000 }, says: 'isn’t the file that its source announced' },
    'a shorter file': {
      fault: { kind: 'length', bytes: BYTES - 7 },
      says: `${(BYTES - 7).toLocaleString('en')} bytes on the server`,
    },
    'a longer file': {
      fault: { kind: 'length', bytes: BYTES + 7 },
      says: `${(BYTES + 7).toLocaleString('en')} bytes on the server`,
    },
    'a 404': { fault: { kind: 'status', status: 404 }, says: 'doesn’t exist' },
    'a 403': { fault: { kind: 'status', status: 403 }, says: 'asks for a login' },
    'a web page': { fault: { kind: 'web page' }, says: 'a web page instead of the file' },
  };
  for (const [name, { fault, says }] of Object.entries(cases)) {
    it(name, async () => {
      const { error, directory } = await download(await serve(always(fault)));
      expect(error?.message).toContain(says);
      expect(await isEmpty(directory)).toBe(true);
    });
  }

  it('a flipped byte in a small file, by git’s own hash', async () => {
    const { error, directory } = await download(
      await serve(({ path }) => (path === 'config.json' ? { kind: 'flip', at: 3 } : undefined)),
    );
    expect(error).toMatchObject({ name: 'IntegrityError', message: expect.stringContaining('config.json') as string });
    expect(await isEmpty(directory)).toBe(true);
  });

  it('a file that became another one halfway: the bytes of the first are gone', async () => {
    const hub = await serve(onWeights({ kind: 'cut', after: 1 << 20 }, { kind: 'status', status: 404 }));
    const { error, directory } = await download(hub);
    expect(error?.name).toBe('WrongFileError');
    expect(await isEmpty(directory)).toBe(true);
  });
});

describe('a server without ranges', () => {
  it('is read from the beginning', async () => {
    const { model, store, id } = await download(await serve(always({ kind: 'no ranges' })));
    expect(model?.complete).toBe(true);
    expect(await isIntact(store, id)).toBe(true);
  });

  it('is read from the beginning again after a break, and says so', async () => {
    const hub = await serve(onWeights({ kind: 'cut', after: 1 << 20 }, { kind: 'no ranges' }));
    const { model, store, id, notices } = await download(hub);
    expect(model?.complete).toBe(true);
    expect(notices.join()).toContain('support resuming');
    expect(await isIntact(store, id)).toBe(true);
  });

  it('of a file that is longer than announced, without a length, is refused', async () => {
    const longer = { ...repos['acme/small'], [WEIGHTS]: madeUpFile(BYTES + 1) };
    const hub = await serve(always({ kind: 'no ranges', chunked: true }));
    const { endpoint } = hub;
    const source = await openHubModel({ kind: 'hub', repo: 'acme/small', endpoint }, { backoff: 1 });
    hub.options.repos = { 'acme/small': longer };
    const directory = new MemoryDirectory();
    await expect(new WeightStore(directory).download(source, facts)).rejects.toThrow('is longer on the server');
    expect(await isEmpty(directory)).toBe(true);
  });
});

describe('interrupted', () => {
  it('at ten random points it goes on each time and is verified in the end', async () => {
    const hub = await serve();
    const directory = new MemoryDirectory();
    let asked = 0;
    for (let n = 0; n < 10; n++) {
      // Each time by a page that goes away: nothing but the directory stays.
      const abort = new AbortController();
      const until = Math.random() * 0.09 * BYTES * (n + 1);
      const onProgress = ({ phase, bytes }: DownloadProgress) => {
        if (phase === 'downloading' && bytes > until) abort.abort();
      };
      const { error } = await download(hub, {
        directory,
        signal: abort.signal,
        onProgress,
        options: { now: ticking() },
      });
      expect(error?.name).toBe('AbortError');
      asked = hub.asked.length;
    }
    const { model, store, id } = await download(hub, { directory });
    expect(model?.complete).toBe(true);
    expect(hub.asked.slice(asked).every(({ path, from }) => path === WEIGHTS && from > 0)).toBe(true);
    expect(await isIntact(store, id)).toBe(true);
  });

  it('a stored part that is damaged is fetched again', async () => {
    const hub = await serve();
    const directory = new MemoryDirectory();
    const { store, id } = await interrupted(hub, directory);
    const part = (await directory.files(id)).get('2.bin')!;
    const writer = await directory.append(id, '2.bin', part - 10);
    await writer.write(new Uint8Array(10));
    expect((await download(hub, { directory })).model?.complete).toBe(true);
    expect(await isIntact(store, id)).toBe(true);
  });

  it('a crash while the manifest is written leaves what sweeping removes, and only that', async () => {
    const hub = await serve();
    const directory = new MemoryDirectory();
    const { store, id } = await interrupted(hub, directory);
    await (await directory.append('torn', 'manifest.json', 0)).write(new TextEncoder().encode('{"format": 1, "id'));
    expect((await store.list()).map((model) => model.id)).toEqual([id]);
    await store.sweep();
    expect(await directory.folders()).toEqual([id]);
  });

  it('a download that another tab is at work on is left alone', async () => {
    const hub = await serve(always({ kind: 'slow', rate: 100_000 }));
    const directory = new MemoryDirectory();
    const address = { kind: 'hub', repo: 'acme/small', endpoint: hub.endpoint } as const;
    const source = await openHubModel(address);
    const store = new WeightStore(directory);
    const abort = new AbortController();
    const first = store.download(source, facts, { signal: abort.signal });
    await expect(store.download(source, facts)).rejects.toThrow('is already being downloaded');
    await expect(store.remove(source.id)).rejects.toThrow('is already being downloaded');
    abort.abort();
    await expect(first).rejects.toThrow(/abort/i);
    await store.remove(source.id);
    expect(await isEmpty(directory)).toBe(true);
  });
});

describe('without room', () => {
  it('a download is refused before its first byte, with the numbers', async () => {
    const hub = await serve();
    const estimate = () => Promise.resolve({ usage: 90_000_000, quota: 100_000_000 });
    const { error, directory } = await download(hub, { options: { estimate } });
    expect(error?.message).toContain('needs 5.0 MB more, but the browser has only 10 MB left');
    expect(hub.asked).toEqual([]);
    expect(await isEmpty(directory)).toBe(true);
  });

  it('a disk that fills up on the way gets its room back', async () => {
    const directory = new MemoryDirectory(3 << 20);
    const { error } = await download(await serve(), { directory });
    expect(error).toMatchObject({
      name: 'NoRoomError',
      message: expect.stringContaining('quota is full: 3.1 MB of the 5.0 MB') as string,
    });
    expect(await isEmpty(directory)).toBe(true);
    expect(directory.used).toBe(0);
  });
});

describe('from elsewhere', () => {
  const at = ({ endpoint, sha }: HubServer, path: string) => `${endpoint}/cdn/acme/small/resolve/${sha}/${path}`;

  it('a folder on a plain server, found by its config.json', async () => {
    const hub = await serve();
    const source = await openUrlModel(at(hub, 'config.json'), { backoff: 1 });
    expect(source.files.map(({ path }) => path)).toEqual(['config.json', 'tokenizer.json', WEIGHTS]);
    const store = new WeightStore(new MemoryDirectory());
    expect((await store.download(source, facts)).complete).toBe(true);
    expect(await isIntact(store, source.id)).toBe(true);
  });

  it('a file that changed since is noticed by its ETag', async () => {
    const hub = await serve();
    const source = await openUrlModel(at(hub, ''), { backoff: 1 });
    hub.options.fault = always({ kind: 'etag', value: '"other"' });
    const directory = new MemoryDirectory();
    await expect(new WeightStore(directory).download(source, facts)).rejects.toThrow('has changed on the server');
    expect(await isEmpty(directory)).toBe(true);
  });

  it('a server without ranges is announced', async () => {
    const source = await openUrlModel(at(await serve(always({ kind: 'no ranges' })), ''), { backoff: 1 });
    expect(source.notices.join()).toContain('support resuming');
  });

  it('files that the user chose, kept by copying', async () => {
    const weights = repos['acme/small'][WEIGHTS]!.read(0, BYTES) as Uint8Array<ArrayBuffer>;
    const files = [new File(['{}'], 'config.json'), new File([weights], WEIGHTS), new File(['x'], 'notes.txt')];
    const source = await openChosenFiles({ files });
    const store = new WeightStore(new MemoryDirectory());
    const model = await store.download(source, facts);
    expect(model).toMatchObject({ complete: true, origin: { kind: 'file' }, bytes: BYTES + 2 });
    expect(await isIntact(store, source.id)).toBe(true);
  });
});

/** A download that was broken off after its first megabytes. */
async function interrupted(hub: HubServer, directory: StoreDirectory) {
  const abort = new AbortController();
  const onProgress = ({ bytes }: DownloadProgress) => {
    if (bytes > 2 << 20) abort.abort();
  };
  const result = await download(hub, { directory, signal: abort.signal, onProgress, options: { now: ticking() } });
  expect(result.error?.name).toBe('AbortError');
  return result;
}

/** A clock that moves on a second each time, so that every piece is told. */
function ticking(): () => number {
  let time = 0;
  return () => (time += 1000);
}
