/** @file Real model servers with tiny random models, where this machine has them: started for a test and stopped after it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const CHECKPOINTS = resolve(import.meta.dirname, '../goldens/checkpoints');

export interface ModelServer {
  url: string;
  /** Of the model, as the server names it. */
  model: string;
  close(): Promise<void>;
}

/** The environment of tests/goldens/requirements.txt; $TINYTHINK_PYTHON, or what `python3` is. */
const PYTHON = process.env.TINYTHINK_PYTHON ?? 'python3';

/** Whether Python finds these modules; nothing is imported. */
export function pythonHas(...modules: string[]): boolean {
  const code = `import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in ${JSON.stringify(modules)}))`;
  return spawnSync(PYTHON, ['-c', code]).status === 0;
}

/** llama.cpp's own server; $LLAMA_SERVER, or `llama-server` on the path. Null when there is none. */
export function llamaServer(): string | null {
  const program = process.env.LLAMA_SERVER ?? 'llama-server';
  return spawnSync(program, ['--version']).status === 0 ? program : null;
}

export const startTransformers = (checkpoint: string): Promise<ModelServer> => {
  const model = join(CHECKPOINTS, checkpoint);
  return start(model, (port) => ({
    command: PYTHON,
    args: [
      '-m',
      'transformers.cli.transformers',
      'serve',
      model,
      '--port',
      `${port}`,
      '--host',
      '127.0.0.1',
      '--device',
      'cpu',
    ],
  }));
};

export const startLlamaServer = (program: string, gguf: string, key: string): Promise<ModelServer> => {
  const model = join(CHECKPOINTS, gguf);
  return start(model, (port) => ({
    command: program,
    args: ['-m', model, '--port', `${port}`, '--api-key', key, '-c', '512', '-np', '1', '--slots'],
  }));
};

export const startLlamaCppPython = (gguf: string): Promise<ModelServer> => {
  const model = join(CHECKPOINTS, gguf);
  return start(model, (port) => ({
    command: PYTHON,
    args: ['-m', 'llama_cpp.server', '--model', model, '--port', `${port}`, '--n_ctx', '256'],
  }));
};

const START_MS = 90_000;

async function start(
  model: string,
  program: (port: number) => { command: string; args: string[] },
): Promise<ModelServer> {
  const port = await freePort();
  const { command, args } = program(port);
  const home = mkdtempSync(join(tmpdir(), 'tinythink-server-'));
  // Nothing of the user's, and nothing from outside.
  const env = { ...process.env, HF_HOME: home, HF_HUB_OFFLINE: '1', NO_PROXY: '*', PYTHONUNBUFFERED: '1' };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (piece) => (output = (output + piece).slice(-4000)));
  const exited = new Promise<void>((done) => child.on('exit', () => done()));
  const close = async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(home, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  for (const begun = Date.now(); ;) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${output}`);
    // Any answer but "still loading" will do.
    const answer = await fetch(`${url}/health`).catch(() => null);
    if (answer && answer.status !== 503) return { url, model, close };
    if (Date.now() - begun > START_MS) {
      await close();
      throw new Error(`${command} did not answer in time: ${output}`);
    }
    await new Promise((done) => setTimeout(done, 200));
  }
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
