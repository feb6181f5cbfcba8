/**
 * A run on a real GPU server's sidecar (here on its processor), from the Connect page to a checkpoint that answers in the
 * page's own engine: started, paused, left and found again, lost and found again, finished, compared.
 */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { mapFiles } from '../../src/formats/files/memory-files';
import { openModel } from '../../src/formats/open-model';
import { unpackZip } from '../../src/base/zip';
import { overflow, violations } from '../support/axe';
import { launchBrowser } from '../support/browser';
import { hasSidecar, SIDECAR_MODULES, startSidecar, type RunningSidecar } from '../support/sidecar';

const SLOW = { timeout: 120_000 };
const here = hasSidecar();

describe.skipIf(!here)(`a training server${here ? '' : ` (no Python with ${SIDECAR_MODULES.join(', ')})`}`, () => {
  const app = inject('appUrl');
  let sidecar: RunningSidecar;
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  let address = '';

  beforeAll(async () => {
    [sidecar, browser] = await Promise.all([startSidecar(new URL(app).origin), launchBrowser()]);
    const context = await browser.newContext({ acceptDownloads: true, serviceWorkers: 'block' });
    page = await context.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    // A recording to compare with, in place of the large ones; and it is what a run of the page's engine looks like.
    await page.goto(`${app}#/runs`);
    await page.getByLabel('Import a run').setInputFiles('tests/goldens/sidecar_run.jsonl');
    await page.waitForURL('**/#/train?run=*');
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await sidecar?.close();
  });

  const status = () =>
    page
      .getByRole('status')
      .filter({ hasText: /^.*step \d+ of/s })
      .first();
  const enabled = (name: string) => page.getByRole('button', { name, exact: true }).and(page.locator(':enabled'));

  test('that wants a token says so, and is connected with it', async () => {
    await page.goto(`${app}#/connect`);
    await page.getByLabel('Address').fill(sidecar.url);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('alert').getByText('The key is missing or wrong').waitFor(SLOW);
    await page.getByLabel('Key (if the server needs one)').fill(sidecar.token);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('with 1 model to train.').waitFor(SLOW);
    await page.getByText('none, so it trains on the CPU').waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });

  test('starts a run with what it offers, and says at the setting what can’t be', async () => {
    await page.getByRole('link', { name: /^Train here/ }).click();
    const sheet = page.getByRole('dialog');
    await sheet.getByText(/^GPUs: none/).waitFor(SLOW);
    for (const group of ['Sampling', 'Run', 'On the server']) {
      await sheet.locator('summary', { hasText: new RegExp(`^\\s*${group}\\s+\\d`) }).click();
    }
    expect(await sheet.getByText('Cold start', { exact: true }).count()).toBe(0);
    const values = { 'Prompts per step': 2, 'Group size': 4, 'Max tokens': 32, 'Held-out problems': 4 };
    for (const [label, value] of Object.entries({ ...values, 'Evaluate every': 2, 'Save every': 2 })) {
      await sheet.getByLabel(label, { exact: true }).fill(`${value}`);
    }
    await sheet.getByLabel('Steps', { exact: true }).fill('3');
    const start = sheet.getByRole('button', { name: /^Start on/ });
    await sheet.getByLabel('Completions at a time').fill('3');
    await sheet.getByText('8 completions can’t be divided into batches of 3').waitFor();
    expect(await start.isDisabled()).toBe(true);
    await sheet.getByLabel('Completions at a time').fill('');
    expect(await violations(page)).toEqual([]);
    await start.click();
    await page.waitForURL(/[?&]run=[0-9a-f]{16}/, SLOW);
    address = page.url();
    expect(new URL(address).hash).toContain(`server=${encodeURIComponent(sidecar.url)}`);
    expect(address).not.toContain(sidecar.token);
    await enabled('Train').waitFor(SLOW);
  });

  test('takes a step, and a change of the learning rate', async () => {
    await page.getByRole('button', { name: 'One step' }).click();
    await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
    expect(await page.getByRole('option').count()).toBe(4);
    await page.getByRole('button', { name: 'Adjust' }).click();
    await page
      .getByLabel(/^Learning rate/)
      .first()
      .press('ArrowRight');
    await enabled('Resume').waitFor(SLOW);
    expect(await violations(page)).toEqual([]);
  });

  test('goes on while the page is gone, and asks for its token when it is back', async () => {
    await enabled('Resume').click();
    // The page says that the command was sent, and leaves before the run can end.
    await page.getByRole('button', { name: 'Pause' }).waitFor(SLOW);
    await page.goto('about:blank');
    const headers = { Authorization: `Bearer ${sidecar.token}` };
    const id = /run=([0-9a-f]{16})/.exec(address)![1]!;
    const run = async () =>
      (await (await fetch(`${sidecar.url}/runs/${id}`, { headers })).json()) as { state: string; step: number };
    await expect.poll(async () => (await run()).step, SLOW).toBeGreaterThanOrEqual(2);
    expect((await run()).state).not.toBe('stopped');
    await page.goto(address);
    // The token was not to be kept.
    await page.getByPlaceholder(`Key of ${sidecar.url}`).fill(sidecar.token);
    await page.getByRole('button', { name: 'Watch the run' }).click();
    await status()
      .getByText(/Finished after 3 steps|Training|Paused/)
      .waitFor(SLOW);
  });

  test('is lost and found again', async () => {
    await status().getByText('Finished after 3 steps').waitFor(SLOW);
    // Another one, of the same settings: the stream of one that has ended is over.
    await page.getByRole('button', { name: /^Train again/ }).click();
    await expect.poll(() => page.url(), SLOW).not.toBe(address);
    await enabled('Train').waitFor(SLOW);
    await sidecar.kill();
    await status().getByText('Connection lost').waitFor(SLOW);
    expect(await violations(page)).toEqual([]);
    await sidecar.restart();
    await status().getByText('Ready').waitFor(SLOW);
    await page.getByRole('button', { name: 'Stop the run for good' }).click();
    await page.getByRole('button', { name: 'Stop the run', exact: true }).click();
    await status().getByText('Stopped after step 0').waitFor(SLOW);
  });

  test('lists its runs, to be looked at again', async () => {
    await page.getByRole('button', { name: 'Set up' }).click();
    await page.getByText('Runs on this server').click();
    const runs = page.getByRole('list', { name: /^Runs on/ }).getByRole('listitem');
    await runs.nth(1).waitFor(SLOW);
    expect(await runs.count()).toBe(2);
    await runs.getByRole('link', { name: /^Open / }).click();
    await status().getByText('Finished after 3 steps').waitFor(SLOW);
    expect(page.url()).toBe(address);
  });

  test('is compared with another run', async () => {
    const compare = page.getByLabel('Compare with');
    await page.getByRole('button', { name: 'Compare with another run' }).click();
    await compare.locator('option', { hasText: 'Chain sums' }).first().waitFor({ state: 'attached' });
    const before = await page.locator('aside svg path').count();
    await compare.selectOption(await compare.locator('option[value^="run:"]').first().getAttribute('value'));
    await page.getByText(/^Dotted lines: /).waitFor();
    expect(await page.locator('aside svg path').count()).toBeGreaterThan(before);
    await page.getByText('accuracy, other run').waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });

  test('gives its checkpoint as a file, and to the engine of the page', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download step 3' }).click(),
    ]);
    const files = unpackZip(new Uint8Array(readFileSync(await download.path())));
    expect((await openModel(mapFiles('downloaded', files))).tensors.size).toBeGreaterThan(10);
    await page.getByRole('button', { name: 'Open step 3' }).click();
    await page.getByRole('link', { name: 'Train in this browser from step 3' }).waitFor(SLOW);
    await page.getByRole('link', { name: 'Chat with step 3' }).click();
    await page.getByRole('textbox', { name: 'Prompt' }).fill('12+7-30=');
    await page.keyboard.press('Enter');
    await page
      .getByText(/\d+ tokens/)
      .first()
      .waitFor(SLOW);
  });

  test('is kept once among the runs of this device, and nothing went wrong', async () => {
    await page.goto(`${app}#/runs`);
    const kept = page.getByTitle(/max tokens 32/);
    await kept.first().waitFor(SLOW);
    expect(await kept.count()).toBe(1);
    expect(problems).toEqual([]);
  });
});
