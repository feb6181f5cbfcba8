/** @file An engine that hangs: the page says so, restarts it on request, and the run goes on from its last checkpoint. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { launchBrowser, openPage, SIZES } from '../support/browser';
import { runIsSaved } from '../support/wait';

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
const SLOW = { timeout: 200_000 };

let browser: Browser;
beforeAll(async () => void (browser = await launchBrowser()));
afterAll(() => browser?.close());

test('a run goes on from its last checkpoint after the engine hung and was restarted', async () => {
  const watched = await openPage(browser, `${inject('appUrl')}#/train?${TINY}`, { viewport: SIZES.desktop });
  const { page } = watched;
  await page.getByRole('button', { name: 'One step' }).and(page.locator(':enabled')).click(SLOW);
  await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
  await runIsSaved(page, 1);

  const [worker] = page.workers();
  // It never comes back from this.
  worker!.evaluate('for (;;);').catch(() => {});
  await page.getByText('The engine has stopped answering').waitFor(SLOW);
  await page.getByRole('button', { name: 'Restart the engine' }).click();
  await page.getByText('The engine has stopped answering').waitFor({ ...SLOW, state: 'detached' });
  await page.getByText('did not answer any more').first().waitFor(SLOW);

  await page.goto('about:blank');
  await page.goto(`${inject('appUrl')}#/train`);
  await page.getByText('Resume from step 1').click(SLOW);
  await page.getByRole('button', { name: 'Resume', exact: true }).and(page.locator(':enabled')).click(SLOW);
  await page.getByText('step 3 of 3', { exact: true }).first().waitFor(SLOW);
  expect(watched.problems.filter((problem) => !/did not answer/.test(String(problem)))).toEqual([]);
  await watched.close();
}, 600_000);
