/** @file Runs and data sets of a training server as a list: deleted with undo, and put back when the server refuses. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StoredList } from '../../../../src/ui/pages/connect/stored/stored-list.svelte';
import { datasetTitle, serverFacts } from '../../../../src/ui/pages/connect/server-facts';

interface Thing {
  id: string;
}
const THINGS: Thing[] = [{ id: 'a' }, { id: 'b' }, { id: 'c' }];

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function listOf(remove = vi.fn(() => Promise.resolve()), load = vi.fn(() => Promise.resolve(THINGS))) {
  const list = new StoredList<Thing>({ load, delete: remove }, ({ id }) => id);
  return { list, remove, load, ids: () => list.shown.map(({ id }) => id) };
}

describe('StoredList', () => {
  it('is empty until it has been loaded', async () => {
    const { list, ids } = listOf();
    expect([list.all, ids()]).toEqual([null, []]);
    await list.load();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });

  it('deletes a little later, and not if that is undone', async () => {
    const { list, remove, ids } = listOf();
    await list.load();
    await list.remove(THINGS[1]!, 'B');
    expect([ids(), list.removal.current]).toEqual([['a', 'c'], { id: 'b', name: 'B' }]);
    list.removal.undo();
    await vi.runAllTimersAsync();
    expect(ids()).toEqual(['a', 'b', 'c']);
    expect(remove).not.toHaveBeenCalled();
    await list.remove(THINGS[1]!, 'B');
    await vi.runAllTimersAsync();
    expect(remove).toHaveBeenCalledExactlyOnceWith('b');
    expect([ids(), list.removal.current]).toEqual([['a', 'c'], null]);
  });

  it('completes one deletion when the next one begins', async () => {
    const { list, remove, ids } = listOf();
    await list.load();
    await list.remove(THINGS[0]!, 'A');
    await list.remove(THINGS[2]!, 'C');
    expect(remove.mock.calls).toEqual([['a']]);
    expect(ids()).toEqual(['b']);
    await list.removal.flush();
    expect(remove.mock.calls).toEqual([['a'], ['c']]);
  });

  it('shows again what the server doesn’t delete, and why', async () => {
    const { list, ids } = listOf(vi.fn(() => Promise.reject(new Error('Stop it first.'))));
    await list.load();
    await list.remove(THINGS[0]!, 'A');
    await vi.runAllTimersAsync();
    expect([ids(), list.problem]).toEqual([['a', 'b', 'c'], 'Stop it first.']);
    await list.load();
    expect(list.problem).toBe('');
  });

  it('says why nothing can be listed', async () => {
    const load = vi.fn(() => Promise.reject(new Error('It can’t be reached.')));
    const { list } = listOf(undefined, load);
    await list.load();
    expect([list.all, list.problem]).toEqual([null, 'It can’t be reached.']);
  });
});

describe('in words', () => {
  it('names a data set', () => {
    const task = 'dataset:0123456789abcdef';
    expect(datasetTitle({ task, rows: 1 })).toBe('Data set 012345, 1 problem');
    expect(datasetTitle({ task, hub: 'openai/gsm8k' })).toBe('openai/gsm8k');
    expect(datasetTitle({ task, hub: null, problem: 'damaged' })).toBe('Data set 012345');
  });

  it('says how much of the disk is free, where the server says so', () => {
    const info = {
      name: 'tinythink-remote' as const,
      version: '1',
      models: [],
      hub: [],
      tasks: [],
      rewards: [],
      gpus: 0,
    };
    const none = { ...info, vllm: false, deepspeed: false, peft: false };
    expect(serverFacts(none).map(({ key }) => key)).not.toContain('disk');
    const facts = serverFacts({ ...none, disk: { free: 12_000_000_000, total: 500_000_000_000 } });
    expect(facts.find(({ key }) => key === 'disk')!.text).toBe('12 GB free of 500 GB');
  });
});
