/** A teacher on a server through the page: asked, broken off, gone on with; its right answers kept, taken out and in, and learned from. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { parseDataset } from '../../src/eval/distillation';
import { buildProblems } from '../../src/eval/problem-set';
import type { ChatModel } from '../../src/runs/chat-model';
import { overflow, violations } from '../support/axe';
import { launchBrowser, SIZES } from '../support/browser';
import { serveChatModel, type ChatModelServer } from '../support/policy-server';

const SLOW = { timeout: 120_000 };
const exam = buildProblems({ kind: 'teaching', task: 'sum', difficulty: 3, n: 6, seed: 0, notation: 'short' });

/** Right about all problems but the second; what it writes differs by the seed. */
const policy: ChatModel = {
  name: 'tiny/teacher',
  async *generate({ messages, seed }) {
    await Promise.resolve();
    const at = exam.findIndex(({ prompt }) => messages[0]!.content.endsWith(`\n${prompt}`));
    for (const text of [
      '<think>',
      `${seed} + 1 = 2`,
      '</think>',
      `<answer>${at === 1 ? '' : exam[at]!.answer}</answer>`,
    ])
      yield { text };
  },
};

let teacher: ChatModelServer;
/** Answers that are given before the server stops answering. */
let left = 5;
let browser: Browser;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  teacher = await serveChatModel(policy, { fault: () => (left-- > 0 ? null : { status: 500 }) });
  browser = await launchBrowser();
  const context = await browser.newContext({
    acceptDownloads: true,
    serviceWorkers: 'block',
    viewport: SIZES.desktop,
  });
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${inject('appUrl')}#/connect`);
  await page.getByLabel('Address').fill(teacher.url);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('is connected, with 1 model.').waitFor(SLOW);
});
afterAll(async () => {
  await browser?.close();
  teacher?.close();
});

const go = (hash: string) => page.evaluate((to) => (location.hash = to), hash);
let data = '';

describe('a teacher', () => {
  test('is asked, breaks off, and after a reload only what is missing is asked for', async () => {
    await go('#/distil');
    await page.getByLabel('Model').selectOption({ label: `tiny/teacher · ${new URL(teacher.url).host}` });
    await page.getByLabel('Difficulty').fill('3');
    await page.getByLabel('Number of problems').fill('0');
    await page.getByRole('button', { name: 'Ask the teacher' }).click();
    await page.getByRole('alert').getByText('The number of problems').waitFor(SLOW);
    await page.getByLabel('Number of problems').fill('6');
    await page.getByLabel('Requests at a time').fill('1');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Ask the teacher' }).click();
    await page.getByText('5 of 12 answers are here.').waitFor(SLOW);
    await page.getByRole('alert').getByText('left out').waitFor();
    const asked = teacher.asked.length;
    await page.reload();
    await page.getByText('5 of 12 answers are here.').waitFor(SLOW);
    expect(teacher.asked).toHaveLength(asked);
    left = Infinity;
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('The distillation is complete.').waitFor({ ...SLOW, state: 'attached' });
    expect(teacher.asked).toHaveLength(asked + 7);
  });

  test('shows what is kept, and why the rest is not', async () => {
    await page.getByText('83.3%').waitFor(SLOW);
    await page.getByText('10 of 12 answers', { exact: true }).waitFor();
    await page.getByText('2 no answer').or(page.getByText('2 wrong')).waitFor();
    const table = page.getByRole('region', { name: 'Answers of the teacher' });
    await page.getByLabel('Which answers').selectOption('Rejected');
    expect(await table.getByRole('row').count()).toBe(3);
    await page.getByLabel('Which answers').selectOption('Kept');
    // Spaces are no part of the notation.
    await table.getByText('0+1=2').first().waitFor();
    await table.getByRole('button').first().click();
    await page.getByRole('dialog', { name: 'Problem 1' }).getByText('✓ Correct').first().waitFor();
    await page.keyboard.press('Escape');
    expect(await violations(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });

  test('gives a data set, without the server’s address', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download data set' }).click(),
    ]);
    data = readFileSync(await download.path(), 'utf8');
    const { samples } = parseDataset(data);
    expect(samples).toHaveLength(10);
    expect(samples[0]).toMatchObject({ teacher: { model: 'tiny/teacher', server: 'vllm' }, reasoning: '0+1=2' });
    expect(data).not.toContain(new URL(teacher.url).port);
  });
});

describe('a data set', () => {
  test('of anybody’s is checked, and kept', async () => {
    await go('#/distil');
    const input = page.getByLabel('A .jsonl file of samples');
    const give = (name: string, text: string) =>
      input.setInputFiles({ name, mimeType: 'application/jsonl', buffer: Buffer.from(text) });
    await give('bad.jsonl', `${data}{"task": "sum"}\n`);
    await page.getByRole('alert').getByText('bad.jsonl: Line 11: “difficulty” is missing.').waitFor(SLOW);
    await give('mine.jsonl', `${data}${data}`);
    await page.getByText('“mine” was imported with 10 samples. 10 duplicates were left out.').waitFor(SLOW);
    expect(await violations(page)).toEqual([]);
  });

  test('begins a run on the Train page, which shows the cold start by itself', async () => {
    await page.getByRole('button', { name: 'Train a student on mine' }).click();
    await page.waitForURL(/#\/train\?.*cold_start_dataset=mine/);
    expect(new URL(page.url()).hash).toContain('cold_start_steps=100');
    // The same with sizes for an emulated GPU, and no reinforcement after it.
    const tiny = new URLSearchParams({
      ...{ difficulty: '3', cold_start_dataset: 'mine', cold_start_steps: '2', max_steps: '0' },
      ...{ num_prompts: '2', num_generations: '2', max_completion_length: '24', eval_problems: '8' },
    });
    await page.goto('about:blank');
    await page.goto(`${inject('appUrl')}#/train?${tiny}`);
    await page.getByText(/First came 2 supervised updates on the answers in “mine”/).waitFor(SLOW);
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.getByText('Finished after 0 steps').first().waitFor(SLOW);
    await go('#/runs');
    await page
      .getByTitle(/data mine/)
      .first()
      .waitFor(SLOW);
    expect(problems).toEqual([]);
  });

  test('that isn’t here is said so', async () => {
    await go('#/train?cold_start_dataset=gone&cold_start_steps=2');
    await page.getByRole('alert').getByText('no data set “gone” on this device').waitFor(SLOW);
  });
});
