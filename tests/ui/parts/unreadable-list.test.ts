/** @file What a page shows of records that can't be read, and what a page in a frame refuses. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UnreadableError, type UnreadableRecord } from '../../../src/storage/records';
import { frameGuard, FrameGuard } from '../../../src/ui/parts/frame-guard.svelte';
import { PendingRemoval } from '../../../src/ui/parts/pending-removal.svelte';
import { UnreadableList, type UnreadableSource } from '../../../src/ui/parts/stored/unreadable-list.svelte';

const record = (key: IDBValidKey): UnreadableRecord => ({
  key,
  name: `name of ${String(key)}`,
  reason: 'It is damaged.',
});

/** Keeps records in memory; each method fails once `broken`. */
class FakeSource implements UnreadableSource {
  readonly of = 'runs';
  broken = false;
  constructor(public records: UnreadableRecord[]) {}
  list = () => this.#unlessBroken(this.records);
  export = ({ name }: UnreadableRecord) => this.#unlessBroken({ name, type: 'text/plain', bytes: new Uint8Array(1) });
  delete = async (gone: UnreadableRecord) => {
    await this.#unlessBroken(null);
    this.records = this.records.filter(({ key }) => key !== gone.key);
  };
  #unlessBroken = <T>(value: T): Promise<T> =>
    this.broken ? Promise.reject(new Error('The storage is broken.')) : Promise.resolve(value);
}

describe('UnreadableList', () => {
  let source: FakeSource;
  let list: UnreadableList;
  let changes: number;
  beforeEach(async () => {
    source = new FakeSource([record('a'), record(1), record('1')]);
    changes = 0;
    list = new UnreadableList([source], () => void changes++);
    await list.load();
  });
  const keys = () => list.shown.map((entry) => entry.record.key);

  test('a deletion can be undone, and is done when the page is left', async () => {
    await list.remove(list.entries[1]!);
    expect(keys()).toEqual(['a', '1']);
    list.removal.undo();
    expect(keys()).toEqual(['a', 1, '1']);
    await list.remove(list.entries[1]!);
    await list.removal.flush();
    expect(source.records.map(({ key }) => key)).toEqual(['a', '1']);
    expect(keys()).toEqual(['a', '1']);
    expect(changes).toBe(1);
  });

  test('a failure is told in a sentence, and the record stays', async () => {
    source.broken = true;
    expect(await list.export(list.entries[0]!)).toEqual([]);
    expect(list.problem).toBe('The storage is broken.');
    await list.remove(list.entries[0]!);
    await list.removal.flush();
    expect(keys()).toEqual(['a', 1, '1']);
    source.broken = false;
    expect(await list.export(list.entries[0]!)).toMatchObject([{ name: 'name of a' }]);
    expect(list.problem).toBe('');
    // What can't be listed is none: the page itself says why.
    source.broken = true;
    await list.load();
    expect(keys()).toEqual([]);
  });

  test('a record that was found damaged when it was opened is added, once', () => {
    const error = new UnreadableError(record('late'), 'It can’t be read.');
    expect(list.note(error)).toBe(true);
    expect(list.note(error)).toBe(true);
    expect(list.note(new Error('something else'))).toBe(false);
    expect(keys()).toEqual(['a', 1, '1', 'late']);
  });
});

describe('in a frame', () => {
  afterEach(() => {
    Reflect.deleteProperty(globalThis, 'window');
    frameGuard.refused = false;
  });

  test('the guard refuses and says so; in a tab of its own it refuses nothing', () => {
    const free = new FrameGuard(() => false);
    expect([free.refuses(), free.refused]).toEqual([false, false]);
    const framed = new FrameGuard(() => true);
    expect([framed.refuses(), framed.refused]).toEqual([true, true]);
  });

  test('nothing is removed, on whichever page', async () => {
    const removed: string[] = [];
    const removal = new PendingRemoval((id) => Promise.resolve(removed.push(id)));
    const self = {};
    Object.assign(globalThis, { window: { self, top: {} } });
    await removal.start({ id: 'a', name: 'A' });
    await removal.flush();
    expect([removal.current, removed, frameGuard.refused]).toEqual([null, [], true]);
    Object.assign(globalThis, { window: { self, top: self } });
    await removal.start({ id: 'a', name: 'A' });
    await removal.flush();
    expect(removed).toEqual(['a']);
  });
});
