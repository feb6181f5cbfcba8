/** The app without a network after one visit, and an update that waits until it is told. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { launchBrowser } from '../support/browser';
import { StaticServer } from '../support/static';
import { runIsSaved } from '../support/wait';

const SLOW = { timeout: 120_000 };
/** So small that two cores emulating a GPU take seconds for a step. */
const TINY =
  '#/train?difficulty=3&num_prompts=1&num_generations=2&max_completion_length=16&max_steps=2&eval_problems=2&save_steps=1';

let browser: Browser;
beforeAll(async () => void (browser = await launchBrowser()));
afterAll(() => browser?.close());

/** A first visit, until the service worker has stored the app and answers for it. */
async function firstVisit(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', null, SLOW);
  return page;
}

/** How a request that the page makes is answered: its status, and whether the service worker did it. */
async function answered(page: Page, url: string): Promise<{ status: number; byWorker: boolean }> {
  const [response] = await Promise.all([
    page.waitForResponse((candidate) => candidate.url() === url),
    page.evaluate((address) => fetch(address).then((got) => got.text()), url),
  ]);
  return { status: response.status(), byWorker: response.fromServiceWorker() };
}

describe('after one visit', () => {
  let server: StaticServer;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    server = await new StaticServer(inject('appFolder')).open();
    context = await browser.newContext();
    page = await firstVisit(context, `${server.url}#/about`);
  });
  afterAll(async () => {
    await context?.close();
    await server?.close();
  });

  test('everything of the build that is used is stored, chunks that are loaded late included', async () => {
    const stored = await page.evaluate(async () => {
      const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
      const requests = await Promise.all(caches_.map((cache) => cache.keys()));
      return requests.flat().map(({ url }) => decodeURI(new URL(url).pathname.slice(1)));
    });
    const built = readdirSync(inject('appFolder'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(inject('appFolder').length + 1));
    // KaTeX's fonts come in two older formats too, which no browser with WebGPU asks for.
    const left = built.filter((file) => !stored.includes(file) && !/\.(map|woff|ttf)$|^sw\.js$/.test(file));
    expect(left).toEqual([]);
    expect(stored).toContain('models/tinythink-1m/model.safetensors');
  });

  test('the service worker answers for the files of the build and for nothing else', async () => {
    const other = await new StaticServer(inject('appFolder')).open();
    const asset = await answered(page, `${server.url}models/tinythink-1m/config.json`);
    expect(asset).toEqual({ status: 200, byWorker: true });
    expect(await answered(page, `${server.url}api/chat`)).toEqual({ status: 404, byWorker: false });
    expect(await answered(page, `${other.url}models/tinythink-1m/config.json`)).toEqual({
      status: 200,
      byWorker: false,
    });
    await other.close();
  });

  test('it can be installed', async () => {
    const manifest = JSON.parse(readFileSync(join(inject('appFolder'), 'manifest.webmanifest'), 'utf8'));
    expect(manifest).toMatchObject({ name: 'tinythink', start_url: './', scope: './', display: 'standalone' });
    const devtools = await context.newCDPSession(page);
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    // Contexts of the driver are incognito windows, which can't install anything.
    expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);
  });

  describe('with the network off and the server gone', () => {
    beforeAll(async () => {
      await context.setOffline(true);
      await server.close();
    });

    test.each(['?utm_source=mail', '?', 'index.html?', '?a=1&b[]=2&c', 'index.html?=x', '?q=%E2%82%AC#/about?x=1'])(
      'the app opens at an address that ends in %s',
      async (query) => {
        const tab = await context.newPage();
        await tab.goto(`${server.url}${query}${query.includes('#') ? '' : '#/about'}`);
        await tab.getByRole('heading', { level: 1 }).first().waitFor(SLOW);
        await tab.close();
      },
    );

    test('the embedded model trains a step', async () => {
      await page.goto(`${server.url}${TINY}`);
      await page.reload();
      const step = page.getByRole('button', { name: 'One step' });
      await step.and(page.locator(':enabled')).waitFor(SLOW);
      await step.click();
      await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
    });

    test('its run is among the saved ones', async () => {
      await runIsSaved(page, 1);
      await page.goto(`${server.url}#/runs`);
      await page.getByText(/1 of 2 steps/).waitFor();
    });

    test('the recording plays', async () => {
      const [recording] = JSON.parse(readFileSync(join(inject('appFolder'), 'recordings/index.json'), 'utf8'));
      await page.goto(`${server.url}#/train?recording=${recording.name}`);
      const play = page.getByRole('button', { name: 'Play', exact: true });
      await play.and(page.locator(':enabled')).waitFor(SLOW);
      await play.click();
      await page
        .getByText(/^step [2-9] of/)
        .first()
        .waitFor(SLOW);
    });
  });
});

describe('an update', () => {
  const second = mkdtempSync(join(tmpdir(), 'tinythink-second-'));
  let server: StaticServer;
  let context: BrowserContext;
  let page: Page;
  beforeAll(async () => {
    makeSecondBuild(inject('appFolder'), second);
    server = await new StaticServer(inject('appFolder')).open();
    context = await browser.newContext();
    page = await firstVisit(context, `${server.url}#/runs`);
    server.folder = second;
    // What the page does by itself once an hour.
    await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  });
  afterAll(async () => {
    await context?.close();
    await server?.close();
    rmSync(second, { recursive: true });
  });
  const build = () =>
    page.evaluate(() => document.querySelector<HTMLMetaElement>('meta[name=build]')?.content ?? 'first');

  test('is announced, and the page goes on with its own build, also after a reload', async () => {
    await page.getByText('A new version of tinythink is ready.').waitFor(SLOW);
    await page.reload();
    await page.getByText('A new version of tinythink is ready.').waitFor(SLOW);
    expect(await build()).toBe('first');
    // A chunk that the server no longer has.
    await page.getByRole('link', { name: 'About', exact: true }).click();
    await page.locator('main h1').first().waitFor();
    expect(await page.evaluate(() => navigator.serviceWorker.controller?.state)).toBe('activated');
  });

  test('asks before it interrupts another tab, and takes over when told', async () => {
    const other = await context.newPage();
    await other.goto(`${server.url}#/runs`);
    // As a run or an answer does it.
    await other.evaluate(() => {
      void navigator.locks.request('tinythink:at-work', { mode: 'shared' }, () => new Promise(() => {}));
    });
    await page.getByRole('button', { name: 'Reload', exact: true }).click();
    await page.getByText('would interrupt what another tab is doing').waitFor();
    expect(await build()).toBe('first');
    await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Reload anyway' }).click()]);
    expect(await build()).toBe('second');
    await other.getByText('Another tab has updated tinythink').waitFor();
    await other.close();
  });
});

/** The same app as another build would be: a changed page, and a chunk under another name. */
function makeSecondBuild(first: string, to: string): void {
  cpSync(first, to, { recursive: true });
  const chunk = readdirSync(join(to, 'assets')).find((name) => /^About-.*\.js$/.test(name))!;
  renameSync(join(to, 'assets', chunk), join(to, 'assets/About-second.js'));
  const rewrite = (path: string, change: (text: string) => string) => {
    const file = join(to, path);
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  };
  const entry = readdirSync(join(to, 'assets')).find((name) => /^index-.*\.js$/.test(name))!;
  rewrite(`assets/${entry}`, (text) => text.replaceAll(chunk, 'About-second.js'));
  renameSync(join(to, 'assets', entry), join(to, 'assets/index-second.js'));
  rewrite('index.html', (text) =>
    text.replaceAll(entry, 'index-second.js').replace('<head>', '<head><meta name="build" content="second" />'),
  );
  rewrite('sw.js', (text) =>
    text
      .replaceAll(chunk, 'About-second.js')
      .replaceAll(entry, 'index-second.js')
      .replace(/(url:"index\.html",revision:)"\w+"/, '$1"second"'),
  );
}
