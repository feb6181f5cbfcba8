/** @file Builds the app as users get it and serves it on localhost, for the tests that drive the real page. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { preview } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface ServedApp {
  /** With a slash at the end. */
  url: string;
  /** The folder of the build. */
  folder: string;
  close(): Promise<void>;
}

/** A fresh production build in a temporary folder, on a free port. */
export async function serveApp(): Promise<ServedApp> {
  const folder = mkdtempSync(join(tmpdir(), 'tinythink-app-'));
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  // In a process of its own: vitest's NODE_ENV would make this a development build.
  execFileSync(process.execPath, [vite, 'build', '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn'], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const server = await preview({
    root,
    build: { outDir: folder },
    preview: { host: '127.0.0.1', port: 0 },
    logLevel: 'error',
  });
  const address = server.httpServer.address();
  if (!address || typeof address === 'string') throw new Error('the preview server has no port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    folder,
    close: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
