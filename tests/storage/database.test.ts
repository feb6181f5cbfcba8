/** @file Tables in IndexedDB: reading and writing, data of the first release, and what a refusing browser's errors become. */
import 'fake-indexeddb/auto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { gzipText } from '../../src/base/gzip';
import { serializeEvents } from '../../src/runs/event-schema';
import { serializeConversations } from '../../src/storage/conversation-schema';
import { ConversationStorage, entryOf } from '../../src/storage/conversation-storage';
import { keysOf, StorageError, Table } from '../../src/storage/database';
import { RunStorage } from '../../src/storage/run-storage';
import { newConversation } from '../../src/ui/pages/chat/history/conversation';
import { startedEvent, stepEvent } from '../runs/fixtures';
import { writeRecords } from '../support/raw-records';

afterEach(() => vi.restoreAllMocks());

let count = 0;
const table = <V, K extends IDBValidKey = string>() =>
  new Table<V, K>({ database: `table-${count++}`, store: 'things', of: 'evaluations', read: (stored) => stored as V });

describe('Table', () => {
  it('reads what it wrote, by key and by range, and deletes both ways', async () => {
    const things = table<string, [string, number]>();
    for (const [id, n] of [
      ['b', 0],
      ['a', 2],
      ['a', 10],
      ['a-', 1],
    ] as const)
      await things.set([id, n], `${id}${n}`);
    expect(await things.get(['a', 10])).toBe('a10');
    expect(await things.get(['a', 11])).toBeUndefined();
    expect(await things.values(keysOf('a'))).toEqual(['a2', 'a10']);
    expect(await things.keys()).toHaveLength(4);
    await things.delete(keysOf('a'));
    await things.delete(['b', 0]);
    expect(await things.keys()).toEqual([['a-', 1]]);
  });

  it('changes a value in one transaction, and leaves the table alone for undefined', async () => {
    const numbers = table<number>();
    await Promise.all(Array.from({ length: 20 }, () => numbers.change('n', (old = 0) => old + 1)));
    expect(await numbers.get('n')).toBe(20);
    await numbers.change('other', () => undefined);
    expect(await numbers.keys()).toEqual(['n']);
  });

  it('counts up what is appended under an id, also when several are appended at once', async () => {
    const lines = table<string, [string, number]>();
    await Promise.all([...'abcdefghijkl'].map((each) => lines.append('run', each)));
    await lines.append('run-2', 'first');
    expect((await lines.values(keysOf('run'))).sort().join('')).toBe('abcdefghijkl');
    expect(await lines.keys(keysOf('run'))).toEqual(Array.from({ length: 12 }, (_, n) => ['run', n]));
    expect(await lines.keys(keysOf('run-2'))).toEqual([['run-2', 0]]);
  });

  it('rejects a write whose transaction is aborted after its request succeeded', async () => {
    const numbers = table<number>();
    await numbers.set('n', 1);
    const put = IDBObjectStore.prototype.put;
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args) {
      const request = put.apply(this, args);
      request.addEventListener('success', () => this.transaction.abort());
      return request;
    });
    await expect(numbers.set('n', 2)).rejects.toThrow();
    expect(await numbers.get('n')).toBe(1);
  });
});

describe('errors', () => {
  const failing = (name: string) => () => {
    throw new DOMException('The operation is insecure.', name);
  };

  it('a full quota says what to delete', async () => {
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(failing('QuotaExceededError'));
    const error = await table<number>()
      .set('n', 1)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({ reason: 'full', cause: { name: 'QuotaExceededError' } });
    expect((error as Error).message).toContain('Delete evaluations, runs or models');
  });

  it.each(['SecurityError', 'InvalidStateError'])('a browser that stores nothing (%s) is explained', async (name) => {
    vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(failing(name));
    for (const work of [
      () => new RunStorage('closed').list(),
      () => new RunStorage('closed').checkpointSteps('x'),
      () => new RunStorage('closed').rename('x', 'y'),
    ]) {
      const error = await work().catch((caught: unknown) => caught);
      expect(error).toMatchObject({ name: 'StorageError', reason: 'refused' });
      expect((error as Error).message).toMatch(/private windows\. Runs are not saved\./);
    }
    await expect(new ConversationStorage('closed').list()).rejects.toThrow('Conversations are not saved.');
    await expect(new RunStorage('closed').modelNames()).rejects.toThrow('Models are not saved.');
  });

  it('works again when the browser lets it', async () => {
    const runs = new RunStorage('opened-later');
    const closed = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(failing('UnknownError'));
    await expect(runs.list()).rejects.toThrow(StorageError);
    closed.mockRestore();
    expect(await runs.list()).toEqual([]);
  });

  it('leaves other errors as they are', async () => {
    await expect(table<() => void>().set('n', () => {})).rejects.toMatchObject({ name: 'DataCloneError' });
  });
});

describe('data of the first release', () => {
  it('opens: runs with events and checkpoints, and imported models', async () => {
    const { run_id: id, config, model, device } = startedEvent();
    const run = { id, name: 'Old', created: 5, updated: 6, config, model, device };
    await writeRecords('old-runs', 'runs', [[id, { ...run, last_step: 2, status: 'open', accuracy: null, bytes: 9 }]]);
    await writeRecords('old-events', 'events', [
      [[id, 0], await gzipText(serializeEvents([startedEvent(), stepEvent(1)]))],
      [[id, 1], await gzipText(serializeEvents([stepEvent(2)]))],
    ]);
    await writeRecords('old-checkpoints', 'checkpoints', [[[id, 2], Uint8Array.of(7)]]);
    await writeRecords('old-models', 'models', [['mine', new Map([['config.json', Uint8Array.of(1)]])]]);

    const storage = new RunStorage('old');
    expect(await storage.list()).toMatchObject([{ id, name: 'Old', last_step: 2 }]);
    expect(await storage.events(id)).toEqual([startedEvent(), stepEvent(1), stepEvent(2)]);
    expect(await storage.checkpointSteps(id)).toEqual([2]);
    expect(await storage.loadCheckpoint(id, 2)).toEqual(Uint8Array.of(7));
    expect([...(await storage.loadModel('mine'))!.keys()]).toEqual(['config.json']);
    // And goes on from there.
    await storage.append(id, [stepEvent(3)], { last_step: 3 });
    expect(await storage.events(id)).toHaveLength(4);
  });

  it('opens: conversations', async () => {
    const conversation = { ...newConversation('c', 1), name: 'Old' };
    await writeRecords('old-conversations', 'conversations', [['c', serializeConversations([conversation])]]);
    await writeRecords('old-conversation-entries', 'entries', [['c', entryOf(conversation)]]);
    const storage = new ConversationStorage('old');
    expect(await storage.list()).toMatchObject([{ id: 'c', title: 'Old' }]);
    expect(await storage.get('c')).toEqual(conversation);
    expect(await storage.all()).toEqual({ conversations: [conversation], unreadable: [] });
  });
});
