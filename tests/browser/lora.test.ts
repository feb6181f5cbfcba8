/** Adapters of a downloaded model, as a person trains them: from the Models page over a run of two steps to the chat. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { mapFiles } from '../../src/formats/files/memory-files';
import { parseDecoderConfig } from '../../src/formats/hf/hf-config';
import { readPeft } from '../../src/formats/hf/peft';
import { unpackZip } from '../../src/base/zip';
import { loraTargets } from '../../src/model/lora/lora-layout';
import { overflow, violations } from '../support/axe';
import { launchBrowser, openPage } from '../support/browser';
import { folderFiles, startHubServer, textFile, type HubServer } from '../support/hub-server';
import { runIsSaved } from '../support/wait';

const SLOW = { timeout: 120_000 };
const MODEL = 'tests/goldens/checkpoints/smollm2';
const config = JSON.parse(readFileSync(`${MODEL}/config.json`, 'utf8')) as Record<string, unknown>;
// A random model hardly ever draws its one ending; with more of them some completions end sooner than others.
const endings = JSON.stringify({ ...config, eos_token_id: [2, 30, 60, 90, 120, 150, 180, 210] });

/** So small that two cores emulating a GPU take seconds for a step; learning so fast that two steps are felt. */
const TINY = {
  lora_r: '4',
  lora_target_modules: 'q_proj,v_proj',
  num_prompts: '1',
  num_generations: '4',
  max_completion_length: '10',
  learning_rate: '0.05',
  warmup_steps: '0',
  'reward_weights.length': '1',
  max_steps: '2',
  eval_problems: '4',
  eval_steps: '2',
  save_steps: '1',
};

let hub: HubServer;
let browser: Browser;
let page: Page;
let problems: string[];
/** `store:<id>`. */
let model: string;

beforeAll(async () => {
  const files = folderFiles(MODEL);
  delete files['generation_config.json'];
  hub = await startHubServer({ repos: { 'tiny/smollm2': { ...files, 'config.json': textFile(endings) } } });
  browser = await launchBrowser();
  ({ page, problems } = await openPage(browser, `${inject('appUrl')}#/models`));
});
afterAll(async () => {
  await browser?.close();
  await hub?.close();
});

test('a model of the Models page is trained by a link: one step, then the rest', async () => {
  await page.getByText('Use a mirror of the Hub').click();
  await page.getByLabel('Address of the mirror').fill(hub.endpoint);
  await page.getByLabel('Model name on the Hugging Face Hub, or a web address').fill('tiny/smollm2');
  await page.keyboard.press('Enter');
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^Download/ })
    .click(SLOW);
  const chat = page.getByRole('link', { name: 'Chat with tiny/smollm2' });
  await chat.waitFor(SLOW);
  model = new URLSearchParams((await chat.getAttribute('href'))!.split('?')[1]).get('model')!;
  await page.goto(`${inject('appUrl')}#/train?${new URLSearchParams({ model, ...TINY })}`);
  const step = page.getByRole('button', { name: 'One step' }).and(page.locator(':enabled'));
  await step.waitFor(SLOW);
  await page.getByRole('button', { name: 'Set up' }).click();
  const sheet = page.getByRole('dialog', { name: 'Set up a run' });
  expect(await sheet.getByRole('combobox', { name: 'Model', exact: true }).inputValue()).toBe(model);
  expect(await sheet.getByRole('combobox', { name: 'Task', exact: true }).inputValue()).toBe('word-problems');
  await sheet.getByText('Adapter (LoRA)').click();
  expect(await sheet.getByRole('spinbutton', { name: 'Rank', exact: true }).inputValue()).toBe('4');
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await step.click();
  await page.getByText('step 1 of 1', { exact: true }).waitFor(SLOW);
  await page.getByRole('listbox').getByRole('option').nth(3).waitFor();
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await page.getByText('step 2 of 2', { exact: true }).first().waitFor(SLOW);
});

test('the model is asked before and after, as it was in training', async () => {
  await page.getByRole('button', { name: 'Ask both' }).click(SLOW);
  await page
    .getByText(/^\d+ tokens$/)
    .nth(1)
    .waitFor(SLOW);
  expect(await overflow(page)).toBeLessThanOrEqual(0);
});

test('the run is kept, and its adapter is exported as a folder that PEFT reads', async () => {
  await runIsSaved(page, 2);
  await page.goto(`${inject('appUrl')}#/runs`);
  await page.reload();
  await page.getByText('2 steps').waitFor();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: /^Export adapter/ }).click();
  const exported = await download;
  expect(exported.suggestedFilename()).toMatch(/^Word-problems-tiny-smollm2-rank-4-.*step-2-adapter\.zip$/);
  const files = unpackZip(new Uint8Array(readFileSync(await exported.path())));
  const { modules } = await readPeft(mapFiles('exported', files), loraTargets(parseDecoderConfig(config)));
  expect(modules.size).toBe(4);
  for (const { b } of modules.values()) expect(b.some((value) => value !== 0)).toBe(true);
});

test('the run’s adapter answers in the chat', async () => {
  await page.getByRole('link', { name: /^Chat with/ }).click();
  await page.getByRole('textbox', { name: 'Prompt' }).fill('How many?');
  await page.keyboard.press('Enter');
  await page
    .getByRole('region', { name: /^Answer from/ })
    .getByText(/tokens\/s/)
    .waitFor(SLOW);
  expect(await page.getByRole('alert').allInnerTexts()).toEqual([]);
  // The hub is another origin, as it is outside of tests.
  expect(problems.filter((problem) => !problem.includes(hub.endpoint))).toEqual([]);
});
