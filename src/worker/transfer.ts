/**
 * @file Teaches Comlink to send what its own handlers cannot: an AbortSignal, which goes on aborting on the other side, and
 * an async iterable, whose values are pushed as they come. Both sides of the worker import this once.
 */
import { transferHandlers, type TransferHandler } from 'comlink';
import { messageOf } from '../base/errors';
import { Turns } from '../base/turns';

type SentSignal = { aborted: true } | { aborted: false; port: MessagePort };

const abortSignal: TransferHandler<AbortSignal, SentSignal> = {
  canHandle: (value): value is AbortSignal => value instanceof AbortSignal,
  serialize(signal) {
    if (signal.aborted) return [{ aborted: true }, []];
    const { port1, port2 } = new MessageChannel();
    signal.addEventListener('abort', () => port1.postMessage('abort'), { once: true });
    return [{ aborted: false, port: port2 }, [port2]];
  },
  deserialize(sent) {
    if (sent.aborted) return AbortSignal.abort();
    const abort = new AbortController();
    sent.port.onmessage = () => {
      abort.abort();
      sent.port.close();
    };
    return abort.signal;
  },
};

type SentStep = { value: unknown } | { done: true } | { error: { name: string; message: string } };

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/**
 * Values are sent as soon as they exist, without waiting for the reader: a page that is busy drawing must not slow down
 * a model that is decoding. A reader that leaves early stops the other side after the value that it is working on.
 */
const asyncIterable: TransferHandler<AsyncIterable<unknown>, MessagePort> = {
  canHandle: isAsyncIterable,
  serialize(iterable) {
    const { port1, port2 } = new MessageChannel();
    let left = false;
    port1.onmessage = () => (left = true);
    const send = (step: SentStep) => port1.postMessage(step);
    const pump = async () => {
      for await (const value of iterable) {
        if (left) return;
        send({ value });
      }
    };
    void pump()
      .then(
        () => send({ done: true }),
        (error: unknown) =>
          send({ error: { name: (error as Error | null)?.name ?? 'Error', message: messageOf(error) } }),
      )
      .finally(() => left && port1.close());
    return [port2, [port2]];
  },
  deserialize: (port) => ({ [Symbol.asyncIterator]: () => received(port) }),
};

async function* received(port: MessagePort): AsyncGenerator<unknown> {
  // What came while the reader was busy, and how much of it has been read.
  let waiting: SentStep[] = [];
  let read = 0;
  const turns = new Turns();
  let wake: () => void = () => {};
  port.onmessage = ({ data }: MessageEvent<SentStep>) => {
    waiting.push(data);
    wake();
  };
  try {
    for (;;) {
      if (turns.isDue) await turns.next();
      const step = waiting[read];
      if (step) read++;
      else {
        waiting = [];
        read = 0;
      }
      if (!step) await new Promise<void>((resolve) => (wake = resolve));
      else if ('value' in step) yield step.value;
      else if ('error' in step) throw Object.assign(new Error(step.error.message), { name: step.error.name });
      else return;
    }
  } finally {
    // Tells the other side, which may have ended already.
    port.postMessage('left');
    port.close();
  }
}

/** Must run in the page and in the worker before anything is sent. */
export function registerTransfers(): void {
  transferHandlers.set('AbortSignal', abortSignal as TransferHandler<unknown, unknown>);
  transferHandlers.set('AsyncIterable', asyncIterable as TransferHandler<unknown, unknown>);
}
