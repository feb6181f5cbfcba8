/** @file Saved runs: appending, reload in the middle, quota, deletion; files in and out. */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unpackZip } from '../../src/base/zip';
import { exportEvents, exportModelZip, importFile } from '../../src/runs/exchange';
import type { RunEvent } from '../../src/runs/events';
import { RunStorage } from '../../src/storage/run-storage';
import { RunWriter } from '../../src/storage/run-writer';
import { evalEvent, startedEvent, stepEvent, tinyFiles } from '../runs/fixtures';

let names = 0;
let storage: RunStorage;
let database: string;
beforeEach(() => (storage = new RunStorage((database = `test-${names++}`))));
afterEach(() => vi.restoreAllMocks());

/** The databases fill up: every write fails, as Chrome's do. */
function fillUp() {
  return vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
  });
}
const steps = (from: number, to: number): RunEvent[] =>
  Array.from({ length: to - from + 1 }, (_, i) => stepEvent(from + i));

describe('RunStorage', () => {
  it('appends chunks and gives back the run, through a new connection too', async () => {
    await storage.create(startedEvent());
    await storage.append('run-1', [startedEvent(), evalEvent(0)], {});
    for (let n = 1; n <= 12; n++) await storage.append('run-1', [stepEvent(n)], { last_step: n });
    const reopened = new RunStorage(database);
    expect(await reopened.events('run-1')).toEqual([startedEvent(), evalEvent(0), ...steps(1, 12)]);
    const [run] = await reopened.list();
    expect(run).toMatchObject({ id: 'run-1', name: 'Chain sums', last_step: 12, status: 'open' });
    expect(run!.bytes).toBeGreaterThan(100);
  });

  it('keeps runs apart whose ids begin alike', async () => {
    for (const run_id of ['a', 'a-', 'ab']) {
      await storage.create(startedEvent({ run_id }));
      await storage.append(run_id, [startedEvent({ run_id })], {});
      await storage.saveCheckpoint(run_id, 1, Uint8Array.of(1));
    }
    await storage.delete('a');
    expect((await storage.list()).map((run) => run.id).sort()).toEqual(['a-', 'ab']);
    expect(await storage.events('ab')).toHaveLength(1);
    expect(await storage.loadCheckpoint('a', 1)).toBeUndefined();
    expect(await storage.loadCheckpoint('a-', 1)).toEqual(Uint8Array.of(1));
    await expect(storage.events('a')).rejects.toThrow(/events are missing/);
  });

  it('names runs apart, renames them, and keeps a name that is given while it saves', async () => {
    await storage.create(startedEvent());
    await storage.create(startedEvent({ run_id: 'run-2' }));
    expect((await storage.get('run-2'))!.name).toBe('Chain sums (2)');
    await Promise.all([
      storage.append('run-1', [startedEvent(), stepEvent(1)], { last_step: 1 }),
      storage.rename('run-1', '  Mine '),
      storage.append('run-1', [stepEvent(2)], { last_step: 2 }),
    ]);
    expect(await storage.get('run-1')).toMatchObject({ name: 'Mine', last_step: 2 });
    expect(await storage.events('run-1')).toHaveLength(3);
    await expect(storage.rename('run-1', ' ')).rejects.toThrow(/needs a name/);
    // Resumed: the same run, under its name.
    expect((await storage.create(startedEvent())).name).toBe('Mine');
  });

  it('brings the configs of earlier versions up to date', async () => {
    const { reward_funcs: _, ...rest } = startedEvent().config;
    const old = { ...rest, reward_weights: { accuracy: 1, format: 0.2, length: 0 } };
    await storage.create(startedEvent());
    await storage.append('run-1', [], { config: old as never });
    expect((await storage.get('run-1'))?.config).toEqual(startedEvent().config);
    expect((await storage.list())[0]?.config).toEqual(startedEvent().config);
  });

  it('keeps checkpoints by step', async () => {
    for (const step of [40, 5, 100]) await storage.saveCheckpoint('run-1', step, Uint8Array.of(step));
    expect(await storage.checkpointSteps('run-1')).toEqual([5, 40, 100]);
    expect(await storage.loadCheckpoint('run-1', 40)).toEqual(Uint8Array.of(40));
    expect(await storage.loadCheckpoint('run-1', 41)).toBeUndefined();
  });

  it('says that the storage is full, and keeps what was there', async () => {
    await storage.create(startedEvent());
    await storage.append('run-1', [startedEvent()], {});
    const full = fillUp();
    await expect(storage.append('run-1', [stepEvent(1)], {})).rejects.toThrow(/storage for this site is full\. Delete/);
    await expect(storage.saveCheckpoint('run-1', 1, new Uint8Array(9))).rejects.toThrow(/is full/);
    full.mockRestore();
    expect(await storage.events('run-1')).toEqual([startedEvent()]);
  });

  it('imports a run under an id of its own where that is taken', async () => {
    const events = [startedEvent(), evalEvent(0, 0.25), ...steps(1, 3)];
    const first = await storage.importRun(events);
    const second = await storage.importRun(events);
    expect(first).toMatchObject({ id: 'run-1', last_step: 3, accuracy: 0.25 });
    expect(second.id).not.toBe('run-1');
    expect((await storage.events(second.id)).slice(1)).toEqual(events.slice(1));
  });

  it('leaves nothing of an import that did not fit', async () => {
    const put = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args) {
      if (this.name === 'events') throw new DOMException('full', 'QuotaExceededError');
      return put.apply(this, args);
    });
    await expect(storage.importRun([startedEvent()])).rejects.toThrow(/is full/);
    expect(await storage.list()).toEqual([]);
  });
});

describe('RunWriter', () => {
  it('saves a run as it goes, without being asked to', async () => {
    const writer = new RunWriter(storage, (message) => expect.unreachable(message));
    const events = [startedEvent(), evalEvent(0), ...steps(1, 20)];
    for (const event of events) writer.append(event);
    await vi.waitFor(async () => expect((await storage.get('run-1'))?.last_step).toBe(20), { timeout: 3000 });
    writer.append(stepEvent(21));
    await vi.waitFor(async () => expect((await storage.get('run-1'))?.last_step).toBe(21), { timeout: 3000 });
    writer.append({ type: 'finished', step: 21, reason: 'max_steps' });
    await writer.flush();
    expect(await storage.get('run-1')).toMatchObject({ status: 'finished', last_step: 21, accuracy: 0.5 });
    expect(await storage.events('run-1')).toHaveLength(24);
  });

  it('leaves a run that can be opened when the page is closed in the middle of a write', async () => {
    let chunks = 0;
    const closing = {
      create: storage.create.bind(storage),
      append: (...args: Parameters<RunStorage['append']>) =>
        chunks++ < 2 ? storage.append(...args) : new Promise<void>(() => {}),
    };
    const writer = new RunWriter(closing, (message) => expect.unreachable(message));
    for (const event of [startedEvent(), ...steps(1, 30)]) writer.append(event);
    await vi.waitFor(() => expect(chunks).toBe(3));
    const reopened = new RunStorage(database);
    const kept = await reopened.events('run-1');
    expect(kept.slice(1)).toEqual(steps(1, kept.length - 1));
    expect(await reopened.get('run-1')).toMatchObject({ status: 'open', last_step: kept.length - 1 });
    expect(kept.length).toBeGreaterThan(8);
  });

  it('lets the run go on unsaved when the storage is full, and catches up after room was made', async () => {
    const problems: string[] = [];
    const writer = new RunWriter(storage, (message) => problems.push(message));
    writer.append(startedEvent());
    await writer.flush();
    const full = fillUp();
    for (const event of steps(1, 30)) writer.append(event);
    await writer.flush();
    expect(problems).toEqual([
      expect.stringMatching(/no longer being saved, but it continues\. The browser's storage/),
    ]);
    expect(writer.saving).toBe(false);
    expect(await writer.retry()).toBe(false);
    expect(problems).toHaveLength(2);
    full.mockRestore();
    expect(await writer.retry()).toBe(true);
    expect(await storage.events('run-1')).toEqual([startedEvent(), ...steps(1, 30)]);
  });

  it('begins anew with another run', async () => {
    const problems: string[] = [];
    const writer = new RunWriter(storage, (message) => problems.push(message));
    const full = fillUp();
    writer.append(startedEvent());
    await writer.flush();
    writer.append(stepEvent(1));
    full.mockRestore();
    writer.append(startedEvent({ run_id: 'run-2' }));
    writer.append(stepEvent(1));
    await writer.flush();
    expect(problems).toHaveLength(1);
    expect((await storage.list()).map((run) => run.id)).toEqual(['run-2']);
    expect(await storage.events('run-2')).toHaveLength(2);
  });
});

describe('files', () => {
  it('exports events that import as the same run', async () => {
    const events = [startedEvent(), ...steps(1, 2)];
    const file = exportEvents('Chain sums · lr 0.001 / ε', events);
    expect(file.name).toBe('Chain-sums-lr-0.001.jsonl');
    expect(await importFile(file.name, file.bytes)).toEqual({ kind: 'run', events });
  });

  it('exports a model as a zip of one folder that imports again', async () => {
    const file = exportModelZip('../évil', tinyFiles());
    expect(file.name).toBe('e-vil.zip');
    expect([...unpackZip(file.bytes).keys()]).toContain('model.safetensors');
    const imported = await importFile('my <model>.zip', file.bytes);
    expect(imported).toMatchObject({ kind: 'model', name: 'my _model_', files: tinyFiles() });
  });

  it('refuses other files by name', async () => {
    await expect(importFile('a.png', Uint8Array.of(0x89, 0x50, 0xff))).rejects.toThrow('a.png is neither a run');
    await expect(importFile('a.jsonl', new TextEncoder().encode('{}\n'))).rejects.toThrow(/a\.jsonl: line 1/);
    await expect(importFile('a.zip', Uint8Array.of(0x50, 0x4b, 1, 2))).rejects.toThrow(/can't be read/);
    const noModel = exportModelZip('x', new Map([['readme.txt', Uint8Array.of(1)]]));
    await expect(importFile('x.zip', noModel.bytes)).rejects.toThrow('x.zip has no config.json');
  });
});
