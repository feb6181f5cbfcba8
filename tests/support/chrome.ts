/**
 * @file Finds a Chromium-family browser, or installs one. The page tests drive it, and the kernel tests borrow the
 * software GPU (SwiftShader) that lies beside it.
 */
import { messageOf } from '../../src/base/errors';
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC_AND_WINDOWS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a browser that is here already: `CHROME_PATH`, one on the PATH, or the one Playwright installed. */
export function findChrome(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env.CHROME_PATH) {
    if (!isExecutable(env.CHROME_PATH)) throw new Error(`CHROME_PATH is not an executable file: ${env.CHROME_PATH}`);
    return env.CHROME_PATH;
  }
  const onPath = (env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...onPath, ...MAC_AND_WINDOWS, chromium.executablePath()].find(isExecutable);
}

/** Debian has Chromium as a package; Ubuntu's package of that name is a snap, which containers can't run. */
function hasChromiumPackage(): boolean {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^ID=debian$/m.test(release) && process.getuid?.() === 0;
}

function install(): void {
  const run = (command: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
    execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } });
  if (hasChromiumPackage()) {
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'libvulkan1'], {
      DEBIAN_FRONTEND: 'noninteractive',
    });
    return;
  }
  // Playwright's own installer; its system libraries need root.
  const cli = join(dirname(createRequire(import.meta.url).resolve('playwright-core/package.json')), 'cli.js');
  const withDeps = process.platform === 'linux' && process.getuid?.() === 0 ? ['--with-deps'] : [];
  run(process.execPath, [cli, 'install', ...withDeps, 'chromium']);
}

/** The path of a browser, installed first if there is none. Throws with what to do by hand when that fails. */
export function findOrInstallChrome(): string {
  const found = findChrome();
  if (found) return found;
  console.log('No Chromium or Chrome here: installing one (set CHROME_PATH to use your own).');
  let reason = 'the installer ended without one';
  try {
    install();
  } catch (error) {
    reason = messageOf(error);
  }
  const installed = findChrome();
  if (installed) return installed;
  throw new Error(`The tests need Chromium or Chrome, and installing one failed (${reason}). Install it by hand, \
for example with "npx playwright-core install --with-deps chromium", or set CHROME_PATH.`);
}
