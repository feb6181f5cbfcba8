/** @file A real tinythink-remote on this machine's processor, with the models of the page and an empty folder for runs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pythonHas } from './model-servers';

const ROOT = resolve(import.meta.dirname, '../..');
const PYTHON = process.env.TINYTHINK_PYTHON ?? 'python3';
const START_MS = 60_000;

/** What the sidecar needs (tests/goldens/requirements.txt); empty names mean that a Python with all of it is here. */
export const SIDECAR_MODULES = ['torch', 'trl', 'peft', 'fastapi', 'uvicorn', 'psutil'] as const;
export const hasSidecar = (): boolean => pythonHas(...SIDECAR_MODULES);

export interface RunningSidecar {
  url: string;
  token: string;
  /** Kills the sidecar; its runs go on. */
  kill(): Promise<void>;
  /** Starts it again at the same address. */
  restart(): Promise<void>;
  /** Ends it and all that it started. */
  close(): Promise<void>;
}

/** @param origin of the page that may ask */
export async function startSidecar(origin: string): Promise<RunningSidecar> {
  const folder = mkdtempSync(join(tmpdir(), 'tinythink-sidecar-'));
  const token = 'a-token-of-this-test';
  writeFileSync(join(folder, 'token'), token, { mode: 0o600 });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess;
  let output = '';

  const start = async (): Promise<void> => {
    const args = ['-m', 'tinythink_remote', 'serve', '--models', join(ROOT, 'public/models')];
    args.push('--runs', join(folder, 'runs'), '--port', `${port}`, '--origin', origin);
    args.push('--token-file', join(folder, 'token'));
    child = spawn(PYTHON, args, {
      // Two runs at a time would share two cores.
      env: { ...process.env, PYTHONPATH: join(ROOT, 'remote/src'), CUDA_VISIBLE_DEVICES: '', OMP_NUM_THREADS: '2' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (piece) => (output = (output + String(piece)).slice(-4000)));
    }
    for (const begun = Date.now(); ;) {
      if (child.exitCode !== null) throw new Error(`the sidecar ended: ${output}`);
      if (await fetch(`${url}/info`).catch(() => null)) return;
      if (Date.now() - begun > START_MS) throw new Error(`the sidecar did not answer in time: ${output}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  };
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await exited;
  };

  await start();
  return {
    url,
    token,
    kill,
    restart: start,
    async close() {
      const headers = { Authorization: `Bearer ${token}` };
      const runs = await fetch(`${url}/runs`, { headers }).then(
        (answer) => answer.json() as Promise<{ id: string }[]>,
        () => [],
      );
      for (const { id } of runs) await fetch(`${url}/runs/${id}/stop`, { method: 'POST', headers }).catch(() => null);
      // Their processes end between two steps.
      for (let waited = 0; waited < 100; waited++) {
        const left = await fetch(`${url}/runs`, { headers }).then(
          (answer) => answer.json() as Promise<{ state: string }[]>,
          () => [],
        );
        if (left.every(({ state }) => /finished|stopped|failed/.test(state))) break;
        await new Promise((done) => setTimeout(done, 100));
      }
      await kill();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}
