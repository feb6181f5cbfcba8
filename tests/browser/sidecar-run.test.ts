/** A run that TRL made on a sidecar, in the browser: read, drawn and kept like any other. */
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { launchBrowser, openPage } from '../support/browser';

const url = inject('appUrl');
const file = fileURLToPath(new URL('../goldens/sidecar_run.jsonl', import.meta.url));
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser('none');
});
afterAll(() => browser?.close());

test('a run of the sidecar draws on the page of local ones', async () => {
  const { page, problems, close } = await openPage(browser, `${url}#/runs`);
  await page.getByLabel('Import a run').setInputFiles(file);
  await page.waitForURL('**/#/train?run=*');
  // Two prompts of four completions, the last step's first group.
  await page.getByRole('option').nth(3).waitFor();
  expect(await page.locator('svg path').count()).toBeGreaterThan(2);
  await page.goto(`${url}#/runs`);
  await page.getByText(/3 steps/).waitFor();
  expect(problems).toEqual([]);
  await close();
});
