/** @file A page's engine client whose "workers" are hosts at the other end of a message channel, in this process. */
import { expose } from 'comlink';
import { EngineClient, type ClientParts, type WorkerLike } from '../../src/worker/client';
import { EngineHost, type HostParts } from '../../src/worker/host';

/** An adapter that is there, which is all that probing asks of it. */
const adapter = {
  info: { vendor: 'acme', architecture: 'a1', description: '' },
  features: new Set(['shader-f16']),
  limits: { maxBufferSize: 1024 },
  requestDevice: () => Promise.resolve({ destroy() {} }),
};
export const fakeGpu = { requestAdapter: () => Promise.resolve(adapter) } as unknown as GPU;

export interface FakeWorker {
  /** Makes the worker die as a browser reports it. */
  fail(message: string): void;
  terminated: boolean;
  /** While true, the worker gets no messages, as if a loop that never ends were running on it. */
  hangs: boolean;
}

/** With a GPU unless `parts` say otherwise. */
export function clientOf(
  parts: Omit<HostParts, 'gpu'> & Partial<Pick<HostParts, 'gpu'>>,
  clientParts: ClientParts = {},
) {
  const channels: MessageChannel[] = [];
  const workers: FakeWorker[] = [];
  const spawn = (): WorkerLike => {
    const channel = new MessageChannel();
    channels.push(channel);
    const { port1, port2 } = channel;
    expose(new EngineHost({ gpu: fakeGpu, ...parts }), port2);
    port1.start();
    port2.start();
    const errors = new Set<(event: Event) => void>();
    const worker: FakeWorker = {
      terminated: false,
      hangs: false,
      fail: (message) => errors.forEach((listener) => listener({ message } as never)),
    };
    workers.push(worker);
    return {
      postMessage: ((message: unknown, transfer: Transferable[]) => {
        if (!worker.hangs) port1.postMessage(message, transfer);
      }) as Worker['postMessage'],
      addEventListener(type: string, listener: (event: Event) => void) {
        if (type === 'error') errors.add(listener);
        else port1.addEventListener(type, listener);
      },
      removeEventListener: (type: string, listener: (event: Event) => void) =>
        port1.removeEventListener(type, listener),
      terminate() {
        worker.terminated = true;
        port1.close();
      },
    } as WorkerLike;
  };
  const client = new EngineClient(spawn, () => 'https://page.example/app/', clientParts);
  const close = () => {
    for (const { port1, port2 } of channels.splice(0)) {
      port1.close();
      port2.close();
    }
  };
  return { client, workers, close };
}
