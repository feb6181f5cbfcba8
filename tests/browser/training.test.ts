/** A real run on the software GPU, driven through the page as a person would. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { modelFiles } from '../../src/cli/model-files';
import { mapFiles } from '../../src/formats/files/memory-files';
import { readWeights } from '../../src/formats/model';
import { openModel } from '../../src/formats/open-model';
import { unpackZip } from '../../src/base/zip';
import { launchBrowser, openPage, SIZES, type WatchedPage } from '../support/browser';
import { runIsSaved } from '../support/wait';

/** So small that two cores emulating a GPU take seconds for a step. */
const TINY = new URLSearchParams({
  difficulty: '3',
  num_prompts: '2',
  num_generations: '4',
  max_completion_length: '24',
  max_steps: '3',
  eval_problems: '8',
  eval_steps: '1',
  save_steps: '1',
});
const SLOW = { timeout: 120_000 };

let browser: Browser;
beforeAll(async () => void (browser = await launchBrowser()));
afterAll(() => browser?.close());

describe('a run of three tiny steps', () => {
  let watched: WatchedPage;
  let page: Page;
  beforeAll(async () => {
    watched = await openPage(browser, `${inject('appUrl')}#/train?${TINY}`, { viewport: SIZES.desktop });
    page = watched.page;
  });
  afterAll(() => watched?.close());

  test('the model loads and the page waits to be told to train', async () => {
    await page.getByRole('button', { name: 'Train', exact: true }).and(page.locator(':enabled')).waitFor(SLOW);
    expect(watched.problems).toEqual([]);
  });

  test('one step shows a group of four with its advantages', async () => {
    await page.getByRole('button', { name: 'One step' }).click();
    await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
    const rows = page.getByRole('option');
    await rows.nth(3).waitFor();
    expect(await rows.count()).toBe(4);
  });

  test('resumed, it trains to the end', async () => {
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByText('step 3 of 3', { exact: true }).first().waitFor(SLOW);
    expect(watched.problems).toEqual([]);
  });

  test('every past step can be looked at again', async () => {
    await page.getByRole('button', { name: 'Previous step' }).click();
    await page.getByText('step 2 of 3', { exact: true }).waitFor();
  });

  test('a reload keeps the run: it is in the library and opens with all its steps', async () => {
    await runIsSaved(page, 3);
    await page.goto(`${inject('appUrl')}#/runs`);
    await page.reload();
    await page.getByText('3 steps').waitFor();
    await page.getByRole('listitem').getByRole('link').first().click();
    await page.getByText('step 3 of 3', { exact: true }).first().waitFor(SLOW);
    await page.getByRole('option').nth(3).waitFor();
    expect(watched.problems).toEqual([]);
  });

  test('its model is exported as a folder that loads', async () => {
    await page.goto(`${inject('appUrl')}#/runs`);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: /^Export model/ }).click();
    const exported = await download;
    expect(exported.suggestedFilename()).toMatch(/step-3\.zip$/);
    const files = unpackZip(new Uint8Array(readFileSync(await exported.path())));
    const after = await readWeights(await openModel(mapFiles('exported', files)));
    const before = await readWeights(await openModel(await modelFiles('public/models/tinythink-1m')));
    const name = 'model.embed_tokens.weight';
    expect(after.get(name)!.data.length).toBe(before.get(name)!.data.length);
    expect(isDeepStrictEqual(after.get(name)!.data, before.get(name)!.data)).toBe(false);
  });

  test('its model can be asked', async () => {
    await page.getByRole('link', { name: /^Chat with/ }).click();
    await page.getByRole('textbox', { name: 'Prompt' }).fill('12+7-30=');
    await page.keyboard.press('Enter');
    await page
      .getByText(/\d+ tokens/)
      .first()
      .waitFor(SLOW);
    expect(watched.problems).toEqual([]);
  });
});

test('an interrupted run resumes from its last checkpoint', async () => {
  const app = inject('appUrl');
  const config = new URLSearchParams({ ...Object.fromEntries(TINY), max_steps: '2' });
  const { page, problems, close } = await openPage(browser, `${app}#/train?${config}`);
  await page.getByRole('button', { name: 'One step' }).and(page.locator(':enabled')).click(SLOW);
  await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
  await runIsSaved(page, 1);
  await page.goto(`${app}#/runs`);
  await page.reload();
  await page.getByText('1 of 2 steps, can be resumed').waitFor();
  await page.getByRole('link', { name: /^Resume/ }).click();
  await page.getByRole('button', { name: 'Resume', exact: true }).and(page.locator(':enabled')).click(SLOW);
  await page.getByText('step 2 of 2', { exact: true }).first().waitFor(SLOW);
  await page.goto(`${app}#/runs`);
  await page.getByText('2 steps').waitFor();
  // One run that went on, not two.
  expect(await page.getByRole('link', { name: /^Chat with/ }).count()).toBe(1);
  expect(problems).toEqual([]);
  await close();
});

describe('a link that asks for what can’t be', () => {
  test('is told which setting, and trains with the default instead', async () => {
    const { page, close } = await openPage(browser, `${inject('appUrl')}#/train?num_generations=1&learning_rate=NaN`);
    await page
      .getByText(/default was kept/)
      .first()
      .waitFor(SLOW);
    await close();
  });
});
