/** @file Which tab trains a run: one at a time, handed over when asked, taken away from a tab that no longer answers. */
import { afterEach, describe, expect, it } from 'vitest';
import { RunLock } from '../../../../src/ui/pages/train/run/run-lock';
import type { Locks } from '../../../../src/ui/pages/train/run/tab-lock';
import { FakeLocks } from '../../../support/fake-locks';

const open: RunLock[] = [];
afterEach(async () => {
  for (const lock of open.splice(0)) await lock.release(lock.held);
});

function tab(locks: FakeLocks, stop: (id: string) => Promise<void> = () => Promise.resolve(), handoverMs = 60_000) {
  const lock = new RunLock({ stop, locks: locks as unknown as Locks, handoverMs });
  open.push(lock);
  return lock;
}

describe('RunLock', () => {
  it('one tab has a run, until it lets go; another run is not concerned', async () => {
    const locks = new FakeLocks();
    const [first, second] = [tab(locks), tab(locks)];
    expect(await first.acquire('a')).toBe(true);
    expect(await first.acquire('a')).toBe(true);
    expect(await second.acquire('a')).toBe(false);
    expect(await second.acquire('b')).toBe(true);
    await first.release(['a', 'never held']);
    expect(await second.acquire('a')).toBe(true);
    expect(await first.acquire('a')).toBe(false);
    expect(second.held.sort()).toEqual(['a', 'b']);
  });

  it('is handed over once the other tab has stopped and saved', async () => {
    const locks = new FakeLocks();
    const log: string[] = [];
    let saved!: () => void;
    const first = tab(locks, async (id) => {
      log.push(`stopping ${id}`);
      await new Promise<void>((resolve) => (saved = resolve));
      log.push('saved');
    });
    const second = tab(locks);
    await first.acquire('a');
    const taken = second.takeOver('a').then(() => log.push('taken'));
    await expect.poll(() => log).toEqual(['stopping a']);
    saved();
    await taken;
    expect(log).toEqual(['stopping a', 'saved', 'taken']);
    expect(first.held).toEqual([]);
    expect(second.held).toEqual(['a']);
    // And back again.
    await first.takeOver('a');
    expect([first.held, second.held]).toEqual([['a'], []]);
  });

  it('is taken from a tab that no longer answers, and that tab stops when it wakes', async () => {
    const locks = new FakeLocks();
    const stopped: string[] = [];
    const stop = (id: string) => Promise.resolve(void stopped.push(id));
    // A frozen tab hears nothing.
    const frozen = new RunLock({ stop, locks: locks as unknown as Locks, channel: () => null });
    const second = tab(locks, undefined, 20);
    await frozen.acquire('a');
    await second.takeOver('a');
    expect(second.held).toEqual(['a']);
    await expect.poll(() => stopped).toEqual(['a']);
    expect(frozen.held).toEqual([]);
    expect(await frozen.acquire('a')).toBe(false);
  });

  it('a run that nobody has any more is simply taken', async () => {
    const lock = tab(new FakeLocks());
    await lock.takeOver('a');
    expect(lock.held).toEqual(['a']);
  });

  it('without locks, every tab goes on as before', async () => {
    const lock = new RunLock({ stop: () => Promise.resolve(), locks: undefined, channel: () => null });
    expect(await lock.acquire('a')).toBe(true);
    await lock.takeOver('b');
    await lock.release(lock.held);
  });
});
