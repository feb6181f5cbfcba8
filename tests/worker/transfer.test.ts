/** @file What Comlink is taught to send over a real message channel: abort signals, and values that come one by one. */
import { expose, wrap } from 'comlink';
import { afterEach, expect, it, vi } from 'vitest';
import { registerTransfers } from '../../src/worker/transfer';

registerTransfers();

const channels: MessageChannel[] = [];
afterEach(() => {
  for (const { port1, port2 } of channels.splice(0)) {
    port1.close();
    port2.close();
  }
});

/** An object at the other end of a channel. */
function across<T extends object>(target: T) {
  const channel = new MessageChannel();
  channels.push(channel);
  expose(target, channel.port2);
  channel.port1.start();
  channel.port2.start();
  return wrap<T>(channel.port1);
}

it('an AbortSignal that aborts later aborts on the other side', async () => {
  let received: AbortSignal | null = null;
  const remote = across({ take: (signal: AbortSignal) => void (received = signal) });
  const abort = new AbortController();
  await remote.take(abort.signal);
  expect(received).toBeInstanceOf(AbortSignal);
  expect(received!.aborted).toBe(false);
  const heard = vi.fn();
  received!.addEventListener('abort', heard);
  abort.abort();
  await vi.waitFor(() => expect(received!.aborted).toBe(true));
  expect(heard).toHaveBeenCalledOnce();
});

it('an AbortSignal that has aborted arrives aborted', async () => {
  const remote = across({ isAborted: (signal: AbortSignal) => signal.aborted });
  expect(await remote.isAborted(AbortSignal.abort())).toBe(true);
});

type Values = AsyncIterable<unknown>;
const remoteValues = (generate: () => Values): (() => Promise<Values>) => {
  const remote = across({ generate });
  return () => remote.generate() as unknown as Promise<Values>;
};

it('values cross in order, whether the reader is faster or slower than what makes them', async () => {
  for (const [making, reading] of [
    [0, 2],
    [2, 0],
  ] as const) {
    const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const ask = remoteValues(async function* () {
      for (let i = 0; i < 20; i++) {
        if (making) await pause(making);
        yield { i, text: `${i}` };
      }
    });
    const received: unknown[] = [];
    for await (const value of await ask()) {
      received.push(value);
      if (reading) await pause(reading);
    }
    expect(received).toEqual(Array.from({ length: 20 }, (_, i) => ({ i, text: `${i}` })));
  }
});

it('values that come before the reader asks for the first are not lost', async () => {
  const ask = remoteValues(async function* () {
    yield 1;
    yield 2;
  });
  const values = await ask();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const received: unknown[] = [];
  for await (const value of values) received.push(value);
  expect(received).toEqual([1, 2]);
});

it('an error crosses after the values before it, with its name', async () => {
  const ask = remoteValues(async function* () {
    yield 1;
    throw new RangeError('too long');
  });
  const received: unknown[] = [];
  const read = async () => {
    for await (const value of await ask()) received.push(value);
  };
  await expect(read()).rejects.toMatchObject({ name: 'RangeError', message: 'too long' });
  expect(received).toEqual([1]);
});

it('a reader that leaves early stops what makes the values', async () => {
  let made = 0;
  let stopped = false;
  const ask = remoteValues(async function* () {
    try {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield made++;
      }
    } finally {
      stopped = true;
    }
  });
  for await (const value of await ask()) if (value === 3) break;
  await vi.waitFor(() => expect(stopped).toBe(true));
  const then = made;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(made).toBe(then);
});
