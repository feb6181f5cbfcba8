/** @file A damaged record beside good runs; a browser that stores nothing; the page in a frame; headers that hosts send. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseEvents, serializeEvents } from '../../src/runs/event-schema';
import { startedEvent, stepEvent } from '../runs/fixtures';
import { launchBrowser, openPage } from '../support/browser';
import { StaticServer } from '../support/static';

let browser: Browser;
beforeAll(async () => void (browser = await launchBrowser('none')));
afterAll(() => browser?.close());

const runFile = (id: string) => ({
  name: `${id}.jsonl`,
  mimeType: 'application/jsonl',
  buffer: Buffer.from(serializeEvents([startedEvent({ run_id: id }), stepEvent(1)])),
});

describe('a damaged record beside good runs', () => {
  test('hides none of them, is exported and deleted, and new runs are saved beside it', async () => {
    const { page, problems, close } = await openPage(browser, `${inject('appUrl')}#/runs`);
    const importRun = async (id: string) => {
      await page.getByLabel('Import a run').setInputFiles(runFile(id));
      await page.waitForURL(new RegExp(`run=${id}`));
    };
    await importRun('first');
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const opening = indexedDB.open('tinythink-runs');
          opening.onsuccess = () => {
            const writing = opening.result.transaction('runs', 'readwrite');
            writing.objectStore('runs').put(null, 'nothing');
            writing.objectStore('runs').put({ id: 'later', name: 'From tomorrow', version: 2 }, 'later');
            writing.oncomplete = () => (opening.result.close(), resolve());
          };
        }),
    );
    await page.goto(`${inject('appUrl')}#/runs`);
    await page.getByRole('heading', { name: 'Runs that can’t be read' }).waitFor();
    await page.getByText('It was saved by a later version of tinythink.').waitFor();
    expect(await page.getByRole('button', { name: /^Rename / }).count()).toBe(1);

    await importRun('second');
    await page.goto(`${inject('appUrl')}#/runs`);
    await page
      .getByRole('button', { name: /^Rename / })
      .nth(1)
      .waitFor();

    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export what is left of From tomorrow' }).click();
    const saved = JSON.parse(readFileSync(await (await download).path(), 'utf8')) as unknown;
    expect(saved).toEqual({ id: 'later', name: 'From tomorrow', version: 2 });

    await page.getByRole('button', { name: 'Delete nothing, which can’t be read' }).click();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: 'Delete nothing, which can’t be read' }).click();
    // Leaving the page ends the time in which it can be undone.
    await page.getByRole('link', { name: 'Models', exact: true }).click();
    await page.getByRole('heading', { name: 'Models', exact: true }).first().waitFor();
    await page.goto(`${inject('appUrl')}#/runs`);
    await page.getByText('From tomorrow').waitFor();
    await page.waitForFunction(() => !document.body.innerText.includes('nothing'));
    expect(await page.getByRole('button', { name: /^Rename / }).count()).toBe(2);
    const events = page.waitForEvent('download');
    await page
      .getByRole('button', { name: /^Export events/ })
      .first()
      .click();
    expect(parseEvents(readFileSync(await (await events).path(), 'utf8'))).toHaveLength(2);
    expect(problems).toEqual([]);
    await close();
  });
});

describe('a browser that stores nothing', () => {
  test.each(['SecurityError', 'InvalidStateError'])(
    '(%s): every page says so in the same words, once',
    async (name) => {
      const context = await browser.newContext({ serviceWorkers: 'block' });
      await context.addInitScript((error) => {
        IDBFactory.prototype.open = () => {
          throw new DOMException('The operation is insecure.', error);
        };
      }, name);
      const page = await context.newPage();
      const uncaught: string[] = [];
      page.on('pageerror', (error) => uncaught.push(error.message));
      for (const [address, what] of [
        ['train', 'Runs are'],
        ['chat', 'Conversations are'],
        ['eval', 'Answers are'],
        ['distil', 'Data sets and answers are'],
        ['connect', 'Servers are'],
        ['runs', 'Runs are'],
      ]) {
        await page.goto(`${inject('appUrl')}#/${address}`);
        const notice = `This browser doesn't let the site store anything, as in some private windows. ${what} not saved.`;
        await page.getByText(notice).first().waitFor();
        await page.getByRole('heading').first().waitFor();
        const text = await page.locator('body').innerText();
        expect(text.split("doesn't let the site store").length - 1, address).toBe(1);
        expect(text).not.toContain('insecure');
      }
      expect(uncaught).toEqual([]);
      await context.close();
    },
  );
});

describe('in a frame', () => {
  test('nothing is deleted, imported or connected with a key, and a link opens the page in its own tab', async () => {
    const host = createServer((_, response) =>
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<iframe src="${inject('appUrl')}#/runs" width="1200" height="700"></iframe>`),
    );
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    // Another port of the same host: another origin that shares what the app stores.
    const address = `http://127.0.0.1:${(host.address() as AddressInfo).port}/`;
    const context = await browser.newContext({ serviceWorkers: 'block' });
    const page = await context.newPage();
    await page.goto(`${inject('appUrl')}#/runs`);
    await page.getByLabel('Import a run').setInputFiles(runFile('kept'));
    await page.waitForURL(/run=kept/);

    await page.goto(address);
    const frame = page.frameLocator('iframe');
    await frame.getByRole('button', { name: /^Delete / }).click();
    const notice = frame.getByRole('alert').getByText('This page is shown inside another page');
    await notice.waitFor();
    expect(await frame.getByRole('button', { name: 'Undo' }).count()).toBe(0);
    await frame.getByLabel('Import a run').setInputFiles(runFile('intruder'));
    const [tab] = await Promise.all([
      context.waitForEvent('page'),
      frame.getByRole('link', { name: 'Open in its own tab' }).click(),
    ]);
    await tab.getByRole('button', { name: /^Rename / }).waitFor();
    expect(await tab.getByRole('button', { name: /^Rename / }).count()).toBe(1);
    // There it works.
    await tab.getByRole('button', { name: /^Delete / }).click();
    await tab.getByRole('button', { name: 'Undo' }).waitFor();

    await frame.getByRole('link', { name: 'Connect', exact: true }).click();
    await frame.getByLabel('Address').fill('http://127.0.0.1:1');
    await frame.getByLabel(/^Key/).fill('sk-secret');
    await frame.getByRole('button', { name: 'Connect', exact: true }).click();
    expect(await frame.getByRole('button', { name: 'Cancel' }).count()).toBe(0);
    await context.close();
    host.close();
  });
});

describe('for hosts', () => {
  /** The headers that docs/hosting.md suggests. */
  const headers = Object.fromEntries(
    /```\n([^]*?)```/
      .exec(readFileSync(new URL('../../docs/hosting.md', import.meta.url), 'utf8'))![1]!
      .trim()
      .split('\n')
      .map((line) => line.split(/: (.*)/, 2) as [string, string]),
  );

  test('every page works under the suggested headers, and no frame shows it', async () => {
    const server = await new StaticServer(inject('appFolder'), headers).open();
    const { page, problems, close } = await openPage(browser, `${server.url}#/about`);
    for (const name of ['train', 'chat', 'models', 'eval', 'distil', 'connect', 'runs', 'about']) {
      await page.goto(`${server.url}#/${name}`);
      await page.getByRole('heading').first().waitFor();
    }
    expect(problems).toEqual([]);
    await page.setContent(`<iframe src="${server.url}"></iframe>`);
    await expect.poll(() => problems.join('\n')).toContain("frame-ancestors 'none'");
    await close();
    await server.close();
  });

  test('the About page links the licences of everything that was bundled', async () => {
    const { page, problems, close } = await openPage(browser, `${inject('appUrl')}#/about`);
    const href = await page.getByRole('link', { name: 'their names and licences' }).getAttribute('href');
    const notices = readFileSync(join(inject('appFolder'), href!), 'utf8');
    // From the page, from the worker, and from the service worker.
    for (const name of ['svelte', 'katex', 'wesl', 'workbox-precaching']) {
      expect(notices).toMatch(
        new RegExp(`={20,}\n${name} [\\d.]+\nLicence: .+\nSource: .+\n\n[^=]*(granted|permitted)`),
      );
    }
    expect(problems).toEqual([]);
    await close();
  });
});
