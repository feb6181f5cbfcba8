/**
 * A large checkpoint from a hub on this machine into the browser's own disk, through the app's worker as it is built:
 * never much of it in memory, and broken off by reloads without harm. 300 MB, or 3 GB with TINYTHINK_LARGE=1.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { HubAddress } from '../../src/formats/hub/source/hub';
import type { DownloadProgress, ModelSummary, StoredModel } from '../../src/formats/hub/stored-model';
import { launchProfile } from '../support/browser';
import { madeUpCheckpoint, startHubServer, type HubServer } from '../support/hub-server';

/** 103 MB in bf16. */
const LAYER = { hidden_size: 2048, intermediate_size: 5632, num_attention_heads: 16, num_key_value_heads: 16 };
const LAYERS = process.env.TINYTHINK_LARGE ? 30 : 3;
const WEIGHTS = 'model.safetensors';
const MOST_MEMORY = 100e6;
const INTERRUPTIONS = 10;
const SLOW = process.env.TINYTHINK_LARGE ? 1_800_000 : 300_000;

const comlink = readFileSync(createRequire(import.meta.url).resolve('comlink/dist/umd/comlink.js'), 'utf8');
const checkpoint = madeUpCheckpoint('public/models/tinythink-1m', {
  ...LAYER,
  head_dim: 128,
  num_hidden_layers: LAYERS,
});
const bytes = checkpoint[WEIGHTS]!.bytes;

let profile: string;
let browser: BrowserContext;
let page: Page;
let hub: HubServer;
let address: HubAddress;
beforeAll(async () => {
  profile = mkdtempSync(join(tmpdir(), 'tinythink-profile-'));
  browser = await launchProfile(profile, 'none');
  page = await browser.newPage();
  hub = await startHubServer({ repos: { 'acme/large': checkpoint } });
  address = { kind: 'hub', repo: 'acme/large', endpoint: hub.endpoint };
  // Hashed here, and not while the first test measures.
  await fetch(`${hub.endpoint}/api/models/acme/large/revision/main`);
});
beforeEach(async () => {
  // Without the worker of the test before, and without what that left when it failed.
  await page.goto('about:blank');
  await page.goto(inject('appUrl'));
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    await root.removeEntry('models', { recursive: true }).catch(() => {});
  });
});
afterAll(async () => {
  await browser?.close();
  await hub?.close();
  rmSync(profile, { recursive: true, force: true });
});

/** The app's workers behind Comlink: `window.check` looks at a model, and `window.api`, the engine's, downloads it. */
async function startWorker(): Promise<void> {
  const assets = readdirSync(join(inject('appFolder'), 'assets'));
  const fileOf = (name: string) => `assets/${assets.find((asset) => asset.startsWith(`${name}.worker-`))!}`;
  await page.evaluate(comlink);
  await page.evaluate(
    ([engine, check]) => {
      const { wrap } = (window as unknown as { Comlink: { wrap(worker: Worker): unknown } }).Comlink;
      const open = (url: string) => wrap(new Worker(url, { type: 'module' }));
      Object.assign(window, { api: open(engine), check: open(check), progress: null });
    },
    [fileOf('engine'), fileOf('check')] as const,
  );
}

interface InPage {
  Comlink: { proxy<T>(value: T): T };
  check: { inspectModel(address: HubAddress): Promise<ModelSummary> };
  api: {
    downloadModel(address: HubAddress, onProgress: (progress: DownloadProgress) => void): Promise<StoredModel>;
    storedModels(): Promise<StoredModel[]>;
    removeModel(id: string): Promise<void>;
  };
  progress: DownloadProgress | null;
}

/** The model, or the message of what went wrong. */
const download = (): Promise<StoredModel | string> =>
  page.evaluate((wanted) => {
    const here = window as unknown as InPage;
    const onProgress = here.Comlink.proxy((progress: DownloadProgress) => void (here.progress = progress));
    return here.api.downloadModel(wanted, onProgress).catch((error: Error) => error.message);
  }, address);
const stored = () => page.evaluate(() => (window as unknown as InPage).api.storedModels());
const remove = (id: string) => page.evaluate((id) => (window as unknown as InPage).api.removeModel(id), id);

/** Names and sizes of all that lies in the origin's private file system. */
const onDisk = (): Promise<[string, number][]> =>
  page.evaluate(async () => {
    type Folder = FileSystemDirectoryHandle & { values(): AsyncIterable<FileSystemHandle> };
    const walk = async (folder: Folder): Promise<[string, number][]> => {
      const found: [string, number][] = [];
      for await (const entry of folder.values()) {
        if (entry.kind === 'directory') found.push(...(await walk(entry as Folder)));
        else found.push([entry.name, (await (entry as FileSystemFileHandle).getFile()).size]);
      }
      return found;
    };
    return walk((await navigator.storage.getDirectory()) as Folder);
  });

const waitUntil = async (bytes: number) => {
  await page.waitForFunction(
    (least) => {
      const { progress } = window as unknown as InPage;
      return progress?.phase === 'downloading' && progress.bytes >= least;
    },
    bytes,
    { polling: 50, timeout: SLOW },
  );
};

describe(`a checkpoint of ${(bytes / 1e9).toFixed(2)} GB`, { timeout: SLOW }, () => {
  test('is stored and verified, and hardly any of it is in memory', async () => {
    const memory = await watchMemory();
    await startWorker();
    const summary = await page.evaluate((it) => (window as unknown as InPage).check.inspectModel(it), address);
    expect(summary).toMatchObject({ architecture: 'LlamaForCausalLM', quantisation: 'BF16', complete: false });
    const before = await memory.now();
    const started = performance.now();
    const samples: number[] = [];
    let over = false;
    const sampling = (async () => {
      while (!over) samples.push((await memory.now()) - before);
    })();
    const model = await download();
    over = true;
    await sampling;
    const seconds = (performance.now() - started) / 1000;
    const most = Math.max(...samples);
    console.log(
      `${(bytes / 1e9).toFixed(2)} GB in ${seconds.toFixed(1)} s (${(bytes / 1e6 / seconds).toFixed(0)} MB/s); memory of page and worker grew by at most ${(most / 1e6).toFixed(0)} MB in ${samples.length} samples.`,
    );
    expect(model).toMatchObject({ complete: true, storedBytes: summary.bytes });
    expect(most).toBeLessThan(MOST_MEMORY);
    expect(Math.max(...(await onDisk()).map(([, size]) => size))).toBe(bytes);
    await remove(summary.id);
    expect(await onDisk()).toEqual([]);
  });

  test(`survives ${INTERRUPTIONS} reloads on the way`, async () => {
    // Evenly spread, and the server sends only a little beyond each: however late the reload comes, something is left to
    // fetch, and what is stored by then ends before the next point.
    const distance = bytes / (INTERRUPTIONS + 1);
    const points = Array.from({ length: INTERRUPTIONS }, (_, i) => Math.floor((i + 1) * distance));
    for (const point of points) {
      const held = Math.floor(point + 0.85 * distance);
      hub.options.fault = ({ path, from }) =>
        path === WEIGHTS ? { kind: 'silent', after: Math.max(0, held - from) } : undefined;
      await startWorker();
      const early = download().then((answer) => {
        throw new Error(`over before it was interrupted: ${JSON.stringify(answer)}`);
      });
      // The reload takes the answer away.
      early.catch(() => {});
      await Promise.race([waitUntil(point), early]);
      await page.reload();
    }
    hub.options.fault = () => undefined;
    await startWorker();
    expect(await stored()).toMatchObject([{ complete: false }]);
    const asked = hub.asked.length;
    const model = (await download()) as StoredModel;
    expect(model).toMatchObject({ complete: true });
    const rest = hub.asked.slice(asked).filter(({ path }) => path === WEIGHTS);
    // At most what one reload cut off is fetched twice.
    expect(rest.length).toBeGreaterThan(0);
    expect(Math.min(...rest.map(({ from }) => from))).toBeGreaterThan(points.at(-1)! - 16e6);
    await remove(model.id);
  });

  test('that outgrows the quota ends in a clear error and leaves nothing', async () => {
    const cdp = await browser.newCDPSession(page);
    // Chromium enforces this quota, but doesn't tell it to pages that ask beforehand (tests/formats has that case).
    const quotaSize = Math.round(bytes / 2);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: new URL(page.url()).origin, quotaSize });
    await startWorker();
    expect(await download()).toMatch(/quota is full: .* were deleted again/);
    expect(await onDisk()).toEqual([]);
  });
});

/** What V8 holds for the page and its workers, array buffers included, in bytes, without collecting garbage first. */
async function watchMemory(): Promise<{ now(): Promise<number> }> {
  const cdp: CDPSession = await browser.newCDPSession(page);
  const workers: string[] = [];
  const waiting = new Map<number, (result: HeapUsage) => void>();
  let next = 1;
  cdp.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') workers.push(sessionId);
  });
  cdp.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message) as { id: number; result: HeapUsage };
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await cdp.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const inWorker = (sessionId: string) =>
    new Promise<HeapUsage>((resolve, reject) => {
      const id = next++;
      waiting.set(id, resolve);
      const message = JSON.stringify({ id, method: 'Runtime.getHeapUsage' });
      cdp.send('Target.sendMessageToTarget', { sessionId, message }).catch(reject);
    });
  return {
    async now() {
      if (workers.length === 0) throw new Error('no worker has been seen');
      const all: HeapUsage[] = [
        (await cdp.send('Runtime.getHeapUsage')) as HeapUsage,
        ...(await Promise.all(workers.map(inWorker))),
      ];
      return all.reduce(
        (sum, { usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 }) =>
          sum + usedSize + embedderHeapUsedSize + backingStorageSize,
        0,
      );
    },
  };
}

interface HeapUsage {
  usedSize: number;
  embedderHeapUsedSize?: number;
  backingStorageSize?: number;
}
