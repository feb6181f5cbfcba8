/** A model from a hub onto this device through the page: looked at, downloaded, broken off, listed, talked to, without a network. */
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { overflow, violations } from '../support/axe';
import { launchBrowser } from '../support/browser';
import { folderFiles, startHubServer, textFile, type HubServer } from '../support/hub-server';
import { StaticServer } from '../support/static';

const SLOW = { timeout: 20_000 };
const CHECKPOINTS = 'tests/goldens/checkpoints';
const GGUF = 'qwen2-q4_0.gguf';

/** Whether weights stop coming, in the next request for them. */
let stuck = false;
let hub: HubServer;
let app: StaticServer;
let browser: Browser;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  hub = await startHubServer({
    repos: {
      'tiny/r1-qwen2': folderFiles(`${CHECKPOINTS}/r1-qwen2`),
      'tiny/qwen3': folderFiles(`${CHECKPOINTS}/qwen3`),
      'tiny/gpt2': { ...folderFiles(`${CHECKPOINTS}/qwen3`), 'config.json': textFile('{"model_type":"gpt2"}') },
    },
    fault: ({ path }) => {
      if (!stuck || !path.endsWith('.safetensors')) return undefined;
      stuck = false;
      return { kind: 'silent', after: 1000 };
    },
    info: { cardData: { license: 'apache-2.0' } },
  });
  app = await new StaticServer(inject('appFolder')).open();
  browser = await launchBrowser();
  context = await browser.newContext();
  page = await context.newPage();
  await page.goto(`${app.url}#/models`);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', null, SLOW);
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
  await hub?.close();
});

const dialog = () => page.getByRole('dialog');
const download = () => dialog().getByRole('button', { name: /^Download/ });
const row = (name: string) =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });

async function look(repo: string): Promise<void> {
  const mirror = page.getByLabel('Address of the mirror');
  if (!(await mirror.isVisible())) await page.getByText('Use a mirror of the Hub').click();
  await mirror.fill(hub.endpoint);
  await page.getByLabel('Model name on the Hugging Face Hub, or a web address').fill(repo);
  await page.keyboard.press('Enter');
}

describe('the Models page', () => {
  test('says what a model is and needs before it is taken', async () => {
    await look('tiny/r1-qwen2');
    await dialog().getByText('Qwen2ForCausalLM').waitFor(SLOW);
    await dialog().getByText('apache-2.0').waitFor();
    await dialog()
      .getByText(/The download is .*B/)
      .waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('downloads it, and lists it with a link to talk to it', async () => {
    await download().click();
    await page.getByText('tiny/r1-qwen2 is stored.').waitFor(SLOW);
    await row('tiny/r1-qwen2').getByRole('link', { name: 'Chat with tiny/r1-qwen2' }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });

  test('refuses by name what can’t be computed, before any weights', async () => {
    await look('tiny/gpt2');
    await dialog()
      .getByText(/gpt2.*not supported/)
      .waitFor(SLOW);
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
  });

  test('a download that a reload broke off goes on from where it was', async () => {
    await look('tiny/qwen3');
    await download().waitFor(SLOW);
    stuck = true;
    await download().click();
    await expect.poll(() => stuck, SLOW).toBe(false);
    await page.getByRole('link', { name: 'About', exact: true }).click();
    await page.getByRole('link', { name: 'Models', exact: true }).click();
    await row('tiny/qwen3').getByRole('button', { name: 'Pause tiny/qwen3' }).waitFor();
    await page.reload();
    await row('tiny/qwen3')
      .getByText(/interrupted/)
      .waitFor(SLOW);
    await row('tiny/qwen3').getByRole('button', { name: 'Resume tiny/qwen3' }).click();
    await page.getByText('tiny/qwen3 is stored.').waitFor(SLOW);
  });

  test('is deleted, and brought back', async () => {
    await row('tiny/qwen3').getByRole('button', { name: 'Delete tiny/qwen3' }).click();
    await row('tiny/qwen3').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await row('tiny/qwen3').waitFor();
  });

  test('a file of one’s own is kept as a copy, or used where it lies', async () => {
    const buffer = readFileSync(`${CHECKPOINTS}/${GGUF}`);
    const choose = () =>
      page.getByLabel('Choose a .gguf').setInputFiles({ name: GGUF, mimeType: 'application/octet-stream', buffer });
    await choose();
    await dialog().getByRole('button', { name: 'Store a copy' }).click(SLOW);
    await page.getByText(/is stored\.$/).waitFor(SLOW);
    await page.getByRole('heading', { name: GGUF }).waitFor();
    await choose();
    await dialog().getByRole('button', { name: 'Use without storing' }).click(SLOW);
    await page.waitForURL('**/#/chat*');
    await page.getByText(GGUF).first().waitFor({ state: 'attached' });
  });
});

describe('with the network off and both servers gone', () => {
  beforeAll(async () => {
    await context.setOffline(true);
    await app.close();
    await hub.close();
    await page.goto(`${app.url}#/models`);
    await page.reload();
  });

  test('the stored models are listed', async () => {
    await row('tiny/r1-qwen2').waitFor(SLOW);
    await row('tiny/qwen3').waitFor();
  });

  test('one of them answers', async () => {
    await row('tiny/r1-qwen2').getByRole('link', { name: 'Chat with tiny/r1-qwen2' }).click();
    await page.getByLabel('Prompt', { exact: true }).fill('What is 2 + 2?');
    await page.keyboard.press('Enter');
    // Random weights have nothing to say; what they say comes at a speed.
    await page
      .getByRole('region', { name: /^Answer from/ })
      .getByText(/tokens\/s/)
      .waitFor({ timeout: 120_000 });
    expect(await page.getByRole('alert').allInnerTexts()).toEqual([]);
  });
});
