import { describe, expect, test } from 'vitest';
import { nextTurn, Turns } from '../../src/base/turns';
import { streamEvents } from '../../src/servers/stream';

/** Counts how often the event loop came round while something ran. */
async function turnsDuring(work: () => Promise<void>): Promise<number> {
  let count = 0;
  let isOver = false;
  const tick = () => {
    count++;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  isOver = true;
  return count;
}

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('turns', () => {
  test('let other tasks run, and promises alone do not', async () => {
    const without = await turnsDuring(async () => {
      for (let i = 0; i < 1000; i++) await Promise.resolve();
    });
    expect(without).toBe(0);
    expect(
      await turnsDuring(async () => {
        for (let i = 0; i < 5; i++) await nextTurn();
      }),
    ).toBeGreaterThanOrEqual(1);
  });

  test('are due after a few milliseconds of work, by the clock', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    expect(turns.isDue).toBe(false);
    now = 7;
    expect(turns.isDue).toBe(false);
    now = 8;
    expect(turns.isDue).toBe(true);
    await turns.next();
    expect(turns.isDue).toBe(false);
  });
});

describe('a stream whose bytes are all there', () => {
  const bytes = new TextEncoder().encode('data: {"a":1}\n\n'.repeat(200));

  test.each([
    ['server-sent events', bytes],
    ['JSON lines', new TextEncoder().encode('{"a":1}\n'.repeat(200))],
  ])('of %s lets the page work between its events', async (_name, body) => {
    const all = (async function* () {
      yield body;
    })();
    let read = 0;
    const turns = await turnsDuring(async () => {
      for await (const event of streamEvents(all)) {
        if (event.kind !== 'data') continue;
        read++;
        busy(1);
      }
    });
    expect(read).toBe(200);
    // 200 ms of work, at most some 8 ms at a stretch.
    expect(turns).toBeGreaterThan(10);
  });

  test('is read no further than its reader has come', async () => {
    let pulled = 0;
    const pieces = (async function* () {
      for (; pulled < 100; pulled++) yield new TextEncoder().encode('data: {"a":1}\n\n');
    })();
    let read = 0;
    for await (const event of streamEvents(pieces)) {
      if (event.kind !== 'data') continue;
      expect(pulled).toBeLessThanOrEqual(++read + 1);
    }
    expect(read).toBe(100);
  });
});
