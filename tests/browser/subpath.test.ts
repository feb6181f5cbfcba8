/**
 * The built app below a path of a plain file server, as GitHub Pages serves it: no headers of its own, nothing at the
 * server's root.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { launchBrowser } from '../support/browser';
import { StaticServer } from '../support/static';

const SLOW = { timeout: 120_000 };
const root = mkdtempSync(join(tmpdir(), 'tinythink-subpath-'));
let browser: Browser;
let server: StaticServer;
beforeAll(async () => {
  cpSync(inject('appFolder'), join(root, 'tinythink'), { recursive: true });
  server = await new StaticServer(root).open();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  rmSync(root, { recursive: true, force: true });
});

test('models, recordings and the service worker are found below the path, and nothing is asked for outside it', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const missing: string[] = [];
  page.on('response', (response) => {
    if (response.status() >= 400) missing.push(`${response.status()} ${response.url()}`);
  });
  page.on('pageerror', (error) => missing.push(error.message));
  const address = `${server.url}tinythink/`;

  await page.goto(`${address}#/about`);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', null, SLOW);
  const scope = await page.evaluate(async () => (await navigator.serviceWorker.ready).scope);
  expect(scope).toBe(address);

  // The model is loaded into the engine's worker.
  await page.goto(`${address}#/train?num_prompts=1&num_generations=2&max_completion_length=16&eval_problems=2`);
  await page.getByRole('button', { name: 'One step' }).and(page.locator(':enabled')).waitFor(SLOW);

  const recordings = (await (await fetch(`${address}recordings/index.json`)).json()) as { name: string }[];
  await page.goto(`${address}#/train?recording=${recordings[0]!.name}`);
  await page.getByRole('button', { name: 'Play', exact: true }).and(page.locator(':enabled')).waitFor(SLOW);

  expect(missing).toEqual([]);
  expect(server.asked.filter((path) => !path.startsWith('/tinythink/') && path !== '/favicon.ico')).toEqual([]);
  await context.close();
});
