/** A recorded run in the browser without a GPU: imported, looked at, kept, renamed, deleted and brought back. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseEvents, serializeEvents } from '../../src/runs/event-schema';
import { overflow, violations } from '../support/axe';
import { launchBrowser, openPage, SIZES, type WatchedPage } from '../support/browser';
import { syntheticRun } from '../ui/pages/train/fixture';

const url = inject('appUrl');
const folder = mkdtempSync(join(tmpdir(), 'tinythink-recording-'));
const file = join(folder, 'run.jsonl');
let browser: Browser;

beforeAll(async () => {
  writeFileSync(file, serializeEvents([...syntheticRun({ num_prompts: 4, num_generations: 8 }, 12)]));
  browser = await launchBrowser('none');
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** A page that has imported the run and shows it. */
async function imported(options: Parameters<typeof openPage>[2]): Promise<WatchedPage> {
  const watched = await openPage(browser, `${url}#/runs`, options);
  await watched.page.getByLabel('Import a run').setInputFiles(file);
  await watched.page.waitForURL('**/#/train?run=*');
  await watched.page.getByRole('option').nth(7).waitFor();
  return watched;
}

describe.each(Object.entries(SIZES))('at %s size', (_, viewport) => {
  test.each(['light', 'dark'] as const)(
    'a whole run in %s: axe finds nothing serious, nothing runs off',
    async (colorScheme) => {
      const { page, problems, close } = await imported({ viewport, colorScheme });
      expect(await violations(page)).toEqual([]);
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      await page.goto(`${url}#/runs`);
      await page.getByText(/12 steps/).waitFor();
      expect(await violations(page)).toEqual([]);
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      expect(problems).toEqual([]);
      await close();
    },
  );
});

describe('a saved run', () => {
  let watched: WatchedPage;
  beforeAll(async () => void (watched = await imported({ viewport: SIZES.desktop })));
  afterAll(() => watched?.close());

  test('opens at its last step and goes back through every one before', async () => {
    const { page } = watched;
    await page.getByText('step 12 of 12', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Previous step' }).click();
    await page.getByText('step 11 of 12', { exact: true }).waitFor();
  });

  test('is still there after a reload', async () => {
    const { page } = watched;
    await page.reload();
    await page.getByText('step 12 of 12', { exact: true }).first().waitFor();
  });

  test('takes another name', async () => {
    const { page } = watched;
    await page.goto(`${url}#/runs`);
    await page.getByRole('button', { name: /^Rename/ }).click();
    await page.getByLabel('Name of the run').fill('My first run');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'My first run', exact: true }).waitFor();
  });

  test('is exported as the events that were imported, under its name', async () => {
    const { page } = watched;
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: /^Export events/ }).click();
    const exported = await download;
    expect(exported.suggestedFilename()).toBe('My-first-run.jsonl');
    const events = (path: string) => parseEvents(readFileSync(path, 'utf8'));
    // Not toEqual, whose report of a difference would be as long as the run.
    expect(isDeepStrictEqual(events(await exported.path()), events(file))).toBe(true);
  });

  test('is deleted, and brought back', async () => {
    const { page } = watched;
    await page.getByRole('button', { name: 'Delete My first run' }).click();
    await page.getByText('No runs are saved yet').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('link', { name: 'My first run', exact: true }).waitFor();
  });

  test('is gone for good when its page is left after deleting', async () => {
    const { page, problems } = watched;
    await page.getByRole('button', { name: 'Delete My first run' }).click();
    await page.getByRole('link', { name: 'About', exact: true }).click();
    await page.getByRole('link', { name: 'Runs', exact: true }).click();
    await page.getByText('No runs are saved yet').waitFor();
    expect(problems).toEqual([]);
  });

  test('a file that is no run is refused by name', async () => {
    const { page } = watched;
    await page.getByLabel('Import a run').setInputFiles({
      name: 'notes.jsonl',
      mimeType: 'application/jsonl',
      buffer: Buffer.from('{"hello": 1}\n'),
    });
    await page.getByRole('alert').filter({ hasText: 'notes.jsonl' }).waitFor();
  });
});
