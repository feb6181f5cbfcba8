/** @file `npm run tinythink -- <command>`: bundles the headless runner when its sources are newer, then runs it. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = `${root}dist/cli.mjs`;
const sources = ['src', 'bench', 'shaders', 'vite.cli.config.ts', 'package-lock.json'];

/** Milliseconds since 1970 of the latest change under `path`; 0 when there is nothing. */
function changed(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changed(`${path}/${name}`)));
}

const newest = Math.max(...sources.map((source) => changed(root + source)));
if (changed(bundle) < newest) {
  try {
    const vite = `${root}node_modules/vite/bin/vite.js`;
    execFileSync(process.execPath, [vite, 'build', '--config', 'vite.cli.config.ts', '--logLevel', 'warn'], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch {
    console.error('The headless runner could not be built; see the messages above.');
    process.exit(1);
  }
}

// npm runs scripts in the package's folder; paths on the command line are relative to where the user stands.
const cwd = process.env.INIT_CWD ?? process.cwd();
const child = spawn(process.execPath, [bundle, ...process.argv.slice(2)], { cwd, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
