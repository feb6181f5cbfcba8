/**
 * How long the page's main thread is busy at a stretch, in CPU time. The goal is 50 ms on an idle machine, and each test
 * prints what it measured. A loaded machine with cold caches took twice as long, so the bounds are wider.
 */
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { serializeEvents } from '../../src/runs/event-schema';
import { launchBrowser, openPage } from '../support/browser';
import { mainThreadTasks } from '../support/main-thread';
import { syntheticRun } from '../ui/pages/train/fixture';

const LONGEST_TASK_MS = 250;
const SLOW = { timeout: 120_000 };

const url = inject('appUrl');
let browser: Browser;
beforeAll(async () => void (browser = await launchBrowser()));
afterAll(() => browser?.close());

// Repeated when it fails: other work on the machine can only make tasks longer, so the best of three is the page's own.
test('a batch of 16 × 16 played at four steps a second does not block the page', { retry: 2 }, async () => {
  const { page, problems, close } = await openPage(browser, `${url}#/about`);
  const recording = gzipSync(serializeEvents([...syntheticRun({}, 24)]), { level: 1 });
  await page.route('**/recordings/full.jsonl.gz', (route) =>
    route.fulfill({ body: recording, contentType: 'application/gzip' }),
  );
  await page.goto(`${url}#/train?recording=full`);
  const play = page.getByRole('button', { name: 'Play', exact: true });
  await play.and(page.locator(':enabled')).waitFor();
  const tasks = await mainThreadTasks(browser, page, async () => {
    await play.click();
    await page.getByText('step 24 of 24', { exact: true }).first().waitFor(SLOW);
  });
  console.log(`Longest main-thread task of a replay: ${tasks[0]?.toFixed(1)} ms of ${tasks.length}.`);
  expect(tasks[0]).toBeLessThan(LONGEST_TASK_MS);
  expect(problems).toEqual([]);
  await close();
});

test('training does not block the page', { retry: 2 }, async () => {
  const run = new URLSearchParams({
    difficulty: '3',
    num_prompts: '2',
    num_generations: '4',
    max_completion_length: '24',
    max_steps: '2',
    eval_problems: '8',
  });
  const { page, problems, close } = await openPage(browser, `${url}#/train?${run}`);
  await page.getByRole('button', { name: 'One step' }).and(page.locator(':enabled')).click(SLOW);
  await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
  const tasks = await mainThreadTasks(browser, page, async () => {
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByText('step 2 of 2', { exact: true }).first().waitFor(SLOW);
  });
  console.log(`Longest main-thread task while training: ${tasks[0]?.toFixed(1)} ms of ${tasks.length}.`);
  expect(tasks[0]).toBeLessThan(LONGEST_TASK_MS);
  expect(problems).toEqual([]);
  await close();
});
