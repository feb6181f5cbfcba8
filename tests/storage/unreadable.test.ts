/**
 * @file Damaged records of every store, beside good ones: they hide nothing, stop no writing, and can be exported and
 * deleted.
 */
import 'fake-indexeddb/auto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gzipText } from '../../src/base/gzip';
import { unpackZip } from '../../src/base/zip';
import type { DistilledSample } from '../../src/eval/distillation';
import { importFile } from '../../src/runs/exchange';
import { parseEvents, serializeEvents } from '../../src/runs/event-schema';
import { ServerStore } from '../../src/servers/server-store';
import { ConversationStorage, entryOf } from '../../src/storage/conversation-storage';
import { serializeConversations } from '../../src/storage/conversation-schema';
import { DatasetStorage } from '../../src/storage/dataset-storage';
import { EvaluationStorage, type EvaluationRun } from '../../src/storage/evaluation-storage';
import { UnreadableError, type UnreadableRecord } from '../../src/storage/records';
import { RunStorage } from '../../src/storage/run-storage';
import { RunWriter } from '../../src/storage/run-writer';
import { toJson, type UnreadableRecords } from '../../src/storage/unreadable-records';
import { newConversation, withTurn } from '../../src/ui/pages/chat/history/conversation';
import { startedEvent, stepEvent } from '../runs/fixtures';
import { writeRecords } from '../support/raw-records';

let count = 0;
let name = '';
beforeEach(() => void (name = `unreadable-${count++}`));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
/** Nothing that only a developer understands. */
const PLAIN = /^(?!.*(TypeError|undefined|RangeError|Invalid type|DOMException)).*[.]$/;

/** One kind of thing that is stored: how its good records are made, and how they look on disk. */
interface Kind {
  database: string;
  store: string;
  /** A record as it is stored, under its key. */
  good: (id: string) => unknown;
  /** Saves a good one as the app does. */
  save: (id: string) => Promise<unknown>;
  /** The keys of what is listed. */
  list: () => Promise<string[]>;
  unreadable: () => UnreadableRecords;
  /** A field of the record, and a wrong value for it. */
  wrong: Record<string, unknown>;
}

const sample: DistilledSample = {
  prompt: '1+2=',
  completion: '<think>1+2=3</think><answer>3',
  problem: '1+2=',
  answer: '3',
  task: 'sum',
  difficulty: 2,
  teacher: { model: 'teacher', kind: 'vllm' },
} as never;

const evaluation = (id: string): EvaluationRun => ({
  id,
  created: 1,
  updated: 1,
  source: { kind: 'held-out', task: 'sum', difficulty: 2, n: 1 },
  k: 1,
  seed: 0,
  sampling: {},
  pace: { concurrency: 1, per_minute: null },
  models: [{ id: 'm', label: 'M', toy: true, settings: null }],
});
const server = (id: string) => ({ id, kind: 'vllm' as const, url: `http://localhost:1/${id}`, label: id, added: 1 });
const conversation = (id: string) =>
  withTurn(newConversation(id, 1), { id: 'q', role: 'user', parent: null, text: 'Hi', created: 1, example: null }, 2);
const run = (id: string) => {
  const { config, model, device } = startedEvent();
  const progress = { last_step: 1, status: 'open', accuracy: null, bytes: 9 };
  return { id, name: id, created: 1, updated: 1, config, model, device, ...progress };
};

const kinds: Record<string, () => Kind> = {
  runs: () => {
    const storage = new RunStorage(name);
    return {
      database: `${name}-runs`,
      store: 'runs',
      good: run,
      save: async (run_id) => {
        await storage.create(startedEvent({ run_id }));
        await storage.append(run_id, [startedEvent({ run_id }), stepEvent(1)], { last_step: 1 });
        expect(await storage.events(run_id)).toHaveLength(2);
      },
      list: async () => (await storage.list()).map(({ id }) => id),
      unreadable: () => storage.unreadableRuns,
      wrong: { config: { ...startedEvent().config, max_steps: 'many' } },
    };
  },
  'imported models': () => {
    const storage = new RunStorage(name);
    return {
      database: `${name}-models`,
      store: 'models',
      good: () => new Map([['config.json', Uint8Array.of(1)]]),
      save: (id) => storage.saveModel(id, new Map([['config.json', Uint8Array.of(1)]])),
      list: async () => {
        const bad = (await storage.unreadableModels.list()).map(({ key }) => key);
        return (await storage.modelNames()).filter((each) => !bad.includes(each));
      },
      unreadable: () => storage.unreadableModels,
      wrong: new Map([['config.json', 'text']]) as never,
    };
  },
  'data sets': () => {
    const storage = new DatasetStorage(name);
    return {
      database: `${name}-datasets`,
      store: 'datasets',
      good: (id) => ({ name: id, created: 1, samples: 1, task: 'sum', difficulty: 2, teacher: 'teacher' }),
      save: (id) => storage.save(id, [sample]),
      list: async () => (await storage.list()).map((each) => each.name),
      unreadable: () => storage.unreadable,
      wrong: { samples: -1 },
    };
  },
  evaluations: () => {
    const storage = new EvaluationStorage(name);
    return {
      database: `${name}-evaluations`,
      store: 'evaluations',
      good: evaluation,
      save: (id) => storage.save(evaluation(id)),
      list: async () => (await storage.list()).map(({ id }) => id),
      unreadable: () => storage.unreadable,
      wrong: { models: [] },
    };
  },
  conversations: () => {
    const storage = new ConversationStorage(name);
    return {
      database: `${name}-conversations`,
      store: 'conversations',
      good: (id) => serializeConversations([conversation(id)]),
      save: (id) => storage.save(conversation(id)),
      list: async () => (await storage.list()).map(({ id }) => id),
      unreadable: () => storage.unreadable,
      wrong: '{"format":"tinythink-conversations","version":1,"conversations":[{"id":"bad","name":7}]}' as never,
    };
  },
  servers: () => {
    const storage = new ServerStore(name);
    return {
      database: `${name}-servers`,
      store: 'servers',
      good: server,
      save: (id) => storage.save(server(id)),
      list: async () => (await storage.list()).map(({ id }) => id),
      unreadable: () => storage.unreadable,
      wrong: { url: 'javascript:alert(1)' },
    };
  },
};

/** What a record may be instead of one. */
const faults: Record<string, (kind: Kind) => unknown> = {
  null: () => null,
  'an empty object': () => ({}),
  'a text': () => 'text',
  'a number': () => 42,
  'an empty list': () => [],
  'a later version': ({ good }) => {
    const record = good('bad');
    if (record instanceof Map) return { version: 2, files: record };
    return typeof record === 'string'
      ? record.replace('"version":1', '"version":2')
      : { ...(record as object), version: 2 };
  },
  'one wrong field': ({ good, wrong }) =>
    typeof wrong === 'string' || wrong instanceof Map ? wrong : { ...(good('bad') as object), ...wrong },
  'the record of another key': ({ good }) => {
    const record = good('other');
    return record instanceof Map ? { files: record } : record;
  },
  'one that contains itself': () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    return circle;
  },
};

describe.each(Object.entries(kinds))('%s', (_kind, make) => {
  it.each(Object.entries(faults))('%s is shown as unreadable, and nothing else is lost', async (_fault, damage) => {
    const kind = make();
    await kind.save('good');
    await writeRecords(kind.database, kind.store, [['bad', damage(kind)]]);

    expect(await kind.list()).toEqual(['good']);
    const [bad, ...others] = await kind.unreadable().list();
    expect(others).toEqual([]);
    expect(bad).toMatchObject({ key: 'bad' });
    expect(bad!.reason).toMatch(PLAIN);

    // Others are saved beside it, and saved again.
    await kind.save('new');
    expect((await kind.list()).sort()).toEqual(['good', 'new']);

    const file = await kind.unreadable().export(bad!);
    expect(file.bytes.length).toBeGreaterThan(0);
    expect(file.name).toMatch(/^[\w.-]+-unreadable\.\w+$/);

    await kind.unreadable().delete(bad!);
    expect(await kind.unreadable().list()).toEqual([]);
    expect((await kind.list()).sort()).toEqual(['good', 'new']);
  });

  it('a key that is no text can be deleted too', async () => {
    const kind = make();
    await writeRecords(kind.database, kind.store, [
      [7, null],
      [['a', 1], {}],
    ]);
    const found = await kind.unreadable().list();
    expect(found.map(({ key }) => key)).toEqual([7, ['a', 1]]);
    for (const record of found) await kind.unreadable().delete(record);
    expect(await kind.unreadable().list()).toEqual([]);
  });

  it('is read one by one when the disk has lost a value', async () => {
    const kind = make();
    await kind.save('good');
    await writeRecords(kind.database, kind.store, [['bad', kind.good('bad')]]);
    const { getAll, get } = IDBObjectStore.prototype;
    const lost = () => new DOMException('Failed to read large IndexedDB value', 'DataError');
    vi.spyOn(IDBObjectStore.prototype, 'getAll').mockImplementation(function (this: IDBObjectStore, range) {
      if (this.name === kind.store) throw lost();
      return getAll.call(this, range);
    });
    vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementation(function (this: IDBObjectStore, key) {
      if (this.name === kind.store && key === 'bad') throw lost();
      return get.call(this, key);
    });
    expect(await kind.list()).toEqual(['good']);
    const found: UnreadableRecord[] = await kind
      .unreadable()
      .list()
      .catch((error: unknown) => [error] as never);
    expect(found).toMatchObject([{ key: 'bad', reason: expect.stringMatching(/no longer read it|is left/) }]);
  });

  it('a database without its store gets one', async () => {
    const kind = make();
    await new Promise<void>((resolve) => {
      const opening = indexedDB.open(kind.database, 3);
      opening.onsuccess = () => (opening.result.close(), resolve());
    });
    await kind.save('good');
    expect(await kind.list()).toEqual(['good']);
  });

  it('a database that can’t be opened at all says so in words', async () => {
    const kind = make();
    for (const error of ['VersionError', 'AbortError', 'UnknownError', 'SecurityError', 'NotFoundError', 'DataError']) {
      const closed = vi.spyOn(IDBFactory.prototype, 'open').mockImplementation(() => {
        throw new DOMException('Internal error opening backing store.', error);
      });
      await expect(kind.list(), error).rejects.toMatchObject({
        name: 'StorageError',
        message: expect.stringMatching(/^(The browser's database of|This browser doesn't let the site store anything)/),
      });
      closed.mockRestore();
    }
    vi.stubGlobal('indexedDB', undefined);
    await expect(make().list()).rejects.toMatchObject({ name: 'StorageError', reason: 'refused' });
    vi.unstubAllGlobals();
    await kind.save('good');
    expect(await kind.list()).toEqual(['good']);
  });

  it('a save that doesn’t fit says so, leaves what was there, and can be repeated', async () => {
    const kind = make();
    await kind.save('good');
    const put = IDBObjectStore.prototype.put;
    // Each write of the save fails once, the first, then the second and so on.
    for (let failing = 0; failing < 4; failing++) {
      let puts = 0;
      const full = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
        this: IDBObjectStore,
        ...args
      ) {
        if (puts++ === failing) throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
        return put.apply(this, args);
      });
      const error: unknown = await kind.save(`new-${failing}`).catch((caught: unknown) => caught);
      full.mockRestore();
      if (puts <= failing) break;
      expect(error).toMatchObject({ name: 'StorageError', reason: 'full' });
      expect(await kind.list()).toContain('good');
      await kind.save(`new-${failing}`);
      expect(await kind.list()).toContain(`new-${failing}`);
    }
  });
});

describe('what belongs to a damaged record', () => {
  it('a run’s events come out as a file that can be imported again', async () => {
    const storage = new RunStorage(name);
    await storage.create(startedEvent());
    await storage.append('run-1', [startedEvent(), stepEvent(1)], { last_step: 1 });
    await writeRecords(`${name}-runs`, 'runs', [['run-1', null]]);
    const [bad] = await storage.unreadableRuns.list();
    const files = unpackZip((await storage.unreadableRuns.export(bad!)).bytes);
    expect([...files.keys()].sort()).toEqual(['events.jsonl', 'record.json']);
    const imported = await importFile('events.jsonl', files.get('events.jsonl')!);
    expect(imported).toMatchObject({ kind: 'run', events: [startedEvent(), stepEvent(1)] });
    // Beside the damaged one, whose events stay its own.
    const again = await storage.importRun(parseEvents(text(files.get('events.jsonl')!)));
    expect(again.id).not.toBe('run-1');
    await storage.unreadableRuns.delete(bad!);
    expect(await storage.events(again.id)).toHaveLength(2);
    await expect(storage.events('run-1')).rejects.toThrow(UnreadableError);
  });

  it('a run whose record is gone is found by its events', async () => {
    const storage = new RunStorage(name);
    await storage.create(startedEvent());
    await storage.append('run-1', [startedEvent(), stepEvent(1)], { last_step: 1 });
    await storage.saveCheckpoint('run-1', 1, Uint8Array.of(1, 2));
    await new Promise<void>((resolve) => {
      const opening = indexedDB.open(`${name}-runs`);
      opening.onsuccess = () => {
        const clearing = opening.result.transaction('runs', 'readwrite');
        clearing.objectStore('runs').clear();
        clearing.oncomplete = () => (opening.result.close(), resolve());
      };
    });
    expect(await storage.list()).toEqual([]);
    const [bad] = await storage.unreadableRuns.list();
    expect(bad).toMatchObject({ key: 'run-1', reason: expect.stringContaining('entry in the list is missing') });
    const files = unpackZip((await storage.unreadableRuns.export(bad!)).bytes);
    expect([...files.keys()].sort()).toEqual(['checkpoint-1.safetensors', 'events.jsonl']);
    await storage.unreadableRuns.delete(bad!);
    expect(await storage.checkpointSteps('run-1')).toEqual([]);
  });

  const half = async () => (await gzipText(serializeEvents([stepEvent(2), stepEvent(3)]))).slice(0, -30);
  it.each<[string, () => unknown]>([
    ['gzip that was cut', half],
    ['nothing', () => null],
    ['an object', () => ({})],
    ['a text', () => 'text'],
    ['bytes that are no gzip', () => Uint8Array.of(1, 2, 3)],
    ['gzip of something else', () => gzipText('{"type":"step"}\n')],
  ])('events of which one row is %s: the others can be exported', async (_what, damage) => {
    const storage = new RunStorage(name);
    await storage.create(startedEvent());
    await storage.append('run-1', [startedEvent(), stepEvent(1)], { last_step: 1 });
    await writeRecords(`${name}-events`, 'events', [[['run-1', 1], await damage()]]);
    await storage.append('run-1', [stepEvent(4)], { last_step: 4 });
    const error: unknown = await storage.events('run-1').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UnreadableError);
    expect((error as Error).message).toBe(
      'The run “Chain sums” can’t be read. Part of its events is damaged. You can export what is left of it, or delete it, on the Runs page.',
    );
    const steps = (await storage.readableEvents('run-1')).flatMap((each) => (each.type === 'step' ? each.step : []));
    expect(steps.filter((step) => step !== 2)).toEqual([1, 4]);
    // The run is listed as before, and the damaged row is in the export.
    expect(await storage.list()).toHaveLength(1);
    const files = unpackZip((await storage.unreadableRuns.export((error as UnreadableError).record)).bytes);
    expect([...files.keys()].filter((each) => each.startsWith('events-1'))).toHaveLength(1);
  });

  it('a checkpoint that is none is refused by name, and its run stays', async () => {
    const storage = new RunStorage(name);
    await storage.create(startedEvent());
    await writeRecords(`${name}-checkpoints`, 'checkpoints', [[['run-1', 4], {}]]);
    await expect(storage.loadCheckpoint('run-1', 4)).rejects.toThrow(UnreadableError);
    expect(await storage.list()).toHaveLength(1);
  });

  it('a run that was deleted while it was written leaves nothing', async () => {
    const storage = new RunStorage(name);
    const writer = new RunWriter(storage, (message) => expect.unreachable(message));
    writer.append(startedEvent());
    await writer.flush();
    await storage.delete('run-1');
    writer.append(stepEvent(1));
    await writer.flush();
    expect(await storage.unreadableRuns.list()).toEqual([]);
    expect(await storage.list()).toEqual([]);
  });

  it('a record that can’t be updated doesn’t double the events when saving is tried again', async () => {
    const storage = new RunStorage(name);
    const problems: string[] = [];
    const writer = new RunWriter(storage, (message) => problems.push(message));
    writer.append(startedEvent());
    await writer.flush();
    const put = IDBObjectStore.prototype.put;
    const full = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, ...args) {
      if (this.name === 'runs') throw new DOMException('full', 'QuotaExceededError');
      return put.apply(this, args);
    });
    writer.append(stepEvent(1));
    await writer.flush();
    expect(problems).toHaveLength(1);
    full.mockRestore();
    expect(await writer.retry()).toBe(true);
    expect(await storage.events('run-1')).toEqual([startedEvent(), stepEvent(1)]);
  });

  it.each<[string, (lines: Uint8Array) => unknown]>([
    ['cut', (lines) => lines.slice(0, -9)],
    ['null', () => null],
    ['no gzip', () => Uint8Array.of(1)],
  ])('samples of a data set that are %s: an error says so, and they can be exported', async (_what, damage) => {
    const storage = new DatasetStorage(name);
    await storage.save('mine', [sample]);
    await writeRecords(`${name}-dataset-lines`, 'lines', [['mine', damage(await gzipText('{}\n'))]]);
    const error = (await storage.load('mine').catch((caught: unknown) => caught)) as UnreadableError;
    expect(error).toBeInstanceOf(UnreadableError);
    expect(error.message).toMatch(/^The data set “mine” can’t be read\. .*on the Distil page\.$/);
    const files = unpackZip((await storage.unreadable.export(error.record)).bytes);
    expect([...files.keys()].some((each) => each.startsWith('samples.jsonl'))).toBe(true);
  });

  it('a data set without samples, and samples without a data set', async () => {
    const storage = new DatasetStorage(name);
    await storage.save('whole', [sample]);
    await writeRecords(`${name}-dataset-lines`, 'lines', [['lines', await gzipText('{"a":1}\n')]]);
    const record = { name: 'record', created: 1, samples: 1, task: 'sum', difficulty: 2, teacher: 't' };
    await writeRecords(`${name}-datasets`, 'datasets', [['record', record]]);
    expect((await storage.list()).map((each) => each.name)).toEqual(['whole']);
    const found = await storage.unreadable.list();
    expect(found.map(({ key }) => key).sort()).toEqual(['lines', 'record']);
    const lines = found.find(({ key }) => key === 'lines')!;
    expect(text((await storage.unreadable.export(lines)).bytes)).toBe('{"a":1}\n');
  });

  it('an answer that can’t be read counts as missing and is replaced', async () => {
    const storage = new EvaluationStorage(name);
    await storage.save(evaluation('e'));
    const answer = { model: 0, problem: 0, sample: 0, text: '3', answer: '3', correct: true, finished: true };
    const whole = { ...answer, tokens: 1, thought_tokens: 0, prompt_tokens: null, ms: NaN };
    for (const damaged of [null, {}, 'text', [], { ...whole, problem: -1 }, { ...whole, correct: 'yes' }]) {
      await writeRecords(`${name}-evaluation-answers`, 'answers', [[['e', 0, 0, 0], damaged]]);
      expect(await storage.answers('e')).toEqual([]);
      await storage.saveAnswer('e', whole);
      expect(await storage.answers('e')).toEqual([whole]);
    }
  });

  it('a list entry of a conversation is made again from the conversation', async () => {
    const storage = new ConversationStorage(name);
    await storage.save(conversation('a'));
    await storage.save(conversation('b'));
    for (const damaged of [null, {}, 'text', 42, [], { ...entryOf(conversation('a')), updated: 'now' }]) {
      await writeRecords(`${name}-conversation-entries`, 'entries', [['a', damaged]]);
      expect((await storage.list()).map(({ id }) => id).sort()).toEqual(['a', 'b']);
      expect(await storage.unreadable.list()).toEqual([]);
    }
  });

  it('a conversation that is damaged behind a good entry says so when it is opened, and doesn’t stop the export', async () => {
    const storage = new ConversationStorage(name);
    await storage.save(conversation('a'));
    await storage.save(conversation('b'));
    for (const damaged of [null, {}, 'text', 42, [], '{"format":"tinythink-conversations","version":9}']) {
      await writeRecords(`${name}-conversations`, 'conversations', [['a', damaged]]);
      const error = (await storage.get('a').catch((caught: unknown) => caught)) as UnreadableError;
      expect(error).toBeInstanceOf(UnreadableError);
      expect(error.message).toMatch(PLAIN);
      const all = await storage.all();
      expect(all.conversations.map(({ id }) => id)).toEqual(['b']);
      expect(all.unreadable).toMatchObject([{ key: 'a' }]);
    }
    await storage.unreadable.delete({ key: 'a', name: 'a', reason: '' });
    expect((await storage.list()).map(({ id }) => id)).toEqual(['b']);
  });

  it('a key of a server that is damaged is none, and the server stays', async () => {
    const storage = new ServerStore(name);
    for (const damaged of [
      null,
      {},
      'text',
      42,
      { origin: 1, secret: 2 },
      { origin: 'http://localhost:1', secret: '\n' },
    ]) {
      await storage.save(server('a'));
      await writeRecords(`${name}-server-keys`, 'keys', [['a', damaged]]);
      expect(await storage.keyState(server('a'))).toBe('none');
      expect(await storage.list()).toHaveLength(1);
      expect(await new ServerStore(name).export()).not.toContain('secret');
    }
  });
});

describe('toJson', () => {
  it('writes whatever IndexedDB can hold', () => {
    const circle: unknown[] = [new Map([['a', Uint8Array.of(1, 2)]]), 5n, NaN, new Date(0), undefined];
    circle.push({ circle });
    expect(JSON.parse(toJson(circle))).toEqual([
      [['a', { base64: 'AQI=' }]],
      '5',
      'NaN',
      '1970-01-01T00:00:00.000Z',
      null,
      { circle: '(itself)' },
    ]);
    const twice = { x: 1 };
    expect(JSON.parse(toJson([twice, twice]))).toEqual([twice, twice]);
    expect(toJson(undefined)).toBe('undefined');
  });
});
