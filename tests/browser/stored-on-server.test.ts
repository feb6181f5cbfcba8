/** What is stored on a training server, on the Connect page: listed with its problems, and deleted with undo. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { defaultRunConfig } from '../../src/runs/config';
import { overflow, violations } from '../support/axe';
import { launchBrowser, SIZES } from '../support/browser';

const app = inject('appUrl');
/** Nothing listens there: the test answers in its place. */
const SERVER = 'http://localhost:8790';
const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(16));
const DATASET = `dataset:${'d'.repeat(16)}`;
const NOTE = 'request.json can’t be read: it isn’t complete JSON. The run can’t continue, and can be deleted.';
let browser: Browser;

beforeAll(async () => {
  browser = await launchBrowser('none');
});
afterAll(() => browser?.close());

const run = (id: string, state: string, more = {}) => ({
  ...{ id, created: 1, state, step: 3, seq: 0, events: 5, note: null, bytes: 7_700_000_000, remote: {} },
  ...{ config: { ...defaultRunConfig, max_steps: 3 }, ...more },
});

/** A page with the server on it, whose answers to DELETE are those of `answers`, by path. */
async function connected(answers: Record<string, { status: number; json?: unknown }>) {
  const context = await browser.newContext({ serviceWorkers: 'block', viewport: SIZES.desktop });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  const info = {
    name: 'tinythink-remote',
    version: '0.1.0',
    models: ['tinythink-1m'],
    hub: [],
    tasks: ['sum'],
    gpus: 1,
  };
  const lists: Record<string, unknown> = {
    '/info': {
      ...info,
      ...{ rewards: ['accuracy'], vllm: false, deepspeed: false, peft: true, disk: { free: 12e9, total: 500e9 } },
    },
    '/runs': [
      run(ids[0]!, 'starting', { note: 'The run waits until run 0123456789abcdef has loaded its model.' }),
      run(ids[1]!, 'finished'),
      run(ids[2]!, 'failed', { config: null, note: NOTE }),
    ],
    '/datasets': [{ task: DATASET, rows: 500 }],
  };
  const deleted: string[] = [];
  await page.route(`${SERVER}/**`, async (route) => {
    const path = new URL(route.request().url()).pathname;
    const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Methods': '*' };
    if (route.request().method() === 'OPTIONS') return route.fulfill({ status: 204, headers });
    if (route.request().method() !== 'DELETE') return route.fulfill({ headers, json: lists[path] ?? {} });
    deleted.push(path);
    await route.fulfill({ headers, status: 404, ...answers[path] });
  });
  await page.goto(`${app}#/connect`);
  await page.getByLabel('Address').fill(SERVER);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('12 GB free of 500 GB').waitFor();
  return { page, deleted, errors, close: () => context.close() };
}

const items = (page: Page, name: RegExp) => page.getByRole('list', { name }).getByRole('listitem');

test('a run that has ended is deleted when the page is left, unless that was undone', async () => {
  const { page, deleted, errors, close } = await connected({ [`/runs/${ids[1]}`]: { status: 204 } });
  await page.getByText('Its runs').click();
  const runs = items(page, /^Runs on/);
  await runs.nth(2).waitFor();
  // Why one waits, what one takes, and what is wrong with one.
  await runs.nth(0).getByText('waits until run').waitFor();
  await runs.nth(1).getByText('7.7 GB').waitFor();
  await runs.nth(2).getByText('isn’t complete JSON').waitFor();
  expect(await runs.nth(0).getByRole('button').count(), 'one that has not ended').toBe(0);
  expect(await violations(page)).toEqual([]);

  const remove = runs.nth(1).getByRole('button', { name: /^Delete / });
  await remove.click();
  await expect.poll(() => runs.count()).toBe(2);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => runs.count()).toBe(3);
  await remove.click();
  await page.getByText(/^Deleted “/).waitFor();
  expect(await violations(page)).toEqual([]);
  expect(deleted).toEqual([]);
  await page.goto(`${app}#/runs`);
  await expect.poll(() => deleted).toEqual([`/runs/${ids[1]}`]);
  expect(errors).toEqual([]);
  await close();
});

test('what the server doesn’t delete is shown again, with its reason', async () => {
  const detail = 'Run b is trained on this data set and has not ended. Stop it first.';
  const path = `/datasets/${'d'.repeat(16)}`;
  const { page, deleted, errors, close } = await connected({ [path]: { status: 409, json: { detail } } });
  await page.setViewportSize(SIZES.phone);
  await page.getByText('Its data sets').click();
  const datasets = items(page, /^Data sets on/);
  await datasets.getByText('Data set dddddd, 500 problems').waitFor();
  expect(await overflow(page)).toBeLessThanOrEqual(0);
  await datasets.getByRole('button', { name: /^Delete / }).click();
  await page.getByText('No data set has been uploaded there.').waitFor();
  // The time for undoing it passes by itself.
  await page.getByRole('alert').getByText('Stop it first.').waitFor({ timeout: 60_000 });
  expect(await datasets.count()).toBe(1);
  expect(deleted).toEqual([path]);
  expect(errors).toEqual([]);
  await close();
});
