/** @file Untrusted files are read in a worker of their own, which ends with them, and at once when it hangs. */
import { expose } from 'comlink';
import { expect, it } from 'vitest';
import { packZip } from '../../src/base/zip';
import { CheckHost } from '../../src/worker/check-host';
import { inDisposableWorker, type WorkerLike } from '../../src/worker/disposable';

function workerOf(host: object) {
  const { port1, port2 } = new MessageChannel();
  const state = { terminated: 0, hangs: false, fail: () => {} };
  expose(host, port2);
  port1.start();
  port2.start();
  const spawn = (): WorkerLike =>
    ({
      postMessage: ((message: unknown, moved: Transferable[]) =>
        state.hangs || port1.postMessage(message, moved)) as Worker['postMessage'],
      addEventListener(type: string, listener: (event: Event) => void) {
        if (type === 'error') state.fail = () => listener({} as Event);
        else port1.addEventListener(type, listener);
      },
      removeEventListener: (type: string, listener: (event: Event) => void) =>
        port1.removeEventListener(type, listener),
      terminate() {
        state.terminated++;
        port1.close();
        port2.close();
      },
    }) as WorkerLike;
  return { state, spawn };
}
const heartbeat = { interval: 20, mostMissed: 3 };

const zip = (files: Record<string, string>) =>
  new File(
    [packZip(new Map(Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)])))],
    'a.zip',
  );

it('hands over what a zip of an adapter holds, and nothing else of it', async () => {
  const { state, spawn } = workerOf(new CheckHost());
  const file = zip({ 'm/adapter_config.json': '{}', 'm/README.md': 'hello', 'm/setup.py': 'exec()' });
  const files = await inDisposableWorker((api) => api.unpackZip(file), { spawn, heartbeat });
  expect([...files.keys()]).toEqual(['adapter_config.json']);
  expect(state.terminated).toBe(1);
});

it('gives on what a file is refused for, in words', async () => {
  const { state, spawn } = workerOf(new CheckHost());
  const asked = inDisposableWorker((api) => api.importZip('a.zip', zip({ 'config.json': '{' })) as Promise<unknown>, {
    spawn,
    heartbeat,
  });
  await expect(asked).rejects.toThrow(/config\.json/);
  expect(state.terminated).toBe(1);
});

it('ends a worker that hangs, and one that breaks down', async () => {
  const never = () => new Promise<never>(() => {});
  const first = workerOf({ ping() {}, inspectModel: never });
  const hung = inDisposableWorker(
    async (api) => {
      await api.ping();
      first.state.hangs = true;
      return api.inspectModel({ kind: 'url', url: 'https://models.example/m' });
    },
    { spawn: first.spawn, heartbeat },
  );
  await expect(hung).rejects.toThrow(/far longer than it should/);
  expect(first.state.terminated).toBe(1);

  const second = workerOf({ ping() {}, inspectModel: never });
  const broke = inDisposableWorker((api) => api.inspectModel({ kind: 'url', url: 'https://models.example/m' }), {
    spawn: second.spawn,
    heartbeat,
  });
  second.state.fail();
  await expect(broke).rejects.toThrow(/more memory than there is/);
  expect(second.state.terminated).toBe(1);
}, 60_000);

it('waits as long as it takes for a worker that answers', async () => {
  const slow = () => new Promise((resolve) => setTimeout(() => resolve('done'), 400));
  const { spawn } = workerOf({ ping() {}, inspectModel: slow });
  const asked = inDisposableWorker((api) => api.inspectModel({ kind: 'url', url: 'https://models.example/m' }), {
    spawn,
    heartbeat: { interval: 10, mostMissed: 20 },
  });
  expect(await asked).toBe('done');
});
