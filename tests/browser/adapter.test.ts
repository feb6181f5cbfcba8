/** A LoRA adapter chosen on the page: a PEFT folder over a model from a hub, answering as the engine in Node does with it. */
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { modelFiles } from '../../src/cli/model-files';
import { tokenizerOf } from '../../src/formats/model';
import { openModel } from '../../src/formats/open-model';
import { readPeft } from '../../src/formats/hf/peft';
import { Gpu } from '../../src/gpu/gpu';
import { loraTargets } from '../../src/model/lora/lora-layout';
import { PackedChatModel } from '../../src/engine/chat/packed-chat-model';
import type { AnswerTurn } from '../../src/storage/conversation';
import { parseConversations } from '../../src/storage/conversation-schema';
import { adapters, openGpu } from '../support/adapter';
import { overflow, violations } from '../support/axe';
import { launchBrowser, openPage } from '../support/browser';
import { folderFiles, startHubServer, textFile, type HubServer } from '../support/hub-server';

const SLOW = { timeout: 120_000 };
const MODEL = 'tests/goldens/models/llama';
const ADAPTER = 'tests/goldens/lora/llama';
const TEMPLATE = '{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}';
const QUESTION = '12+7-30=';
const TOKENS = 12;
const CONTEXT = 128;

let hub: HubServer;
let browser: Browser;
let page: Page;
let problems: string[];

beforeAll(async () => {
  hub = await startHubServer({
    repos: { 'tiny/llama': { ...folderFiles(MODEL), 'chat_template.jinja': textFile(TEMPLATE) } },
  });
  browser = await launchBrowser();
  ({ page, problems } = await openPage(browser, `${inject('appUrl')}#/models`));
});
afterAll(async () => {
  await browser?.close();
  await hub?.close();
});

/** What the engine answers in Node, on the driver that the browser has too. */
async function reference(adapted: boolean): Promise<string> {
  const driver = (await adapters()).find(({ name }) => name !== 'llvmpipe');
  if (!driver) throw new Error('the browser’s own driver is not usable in Node');
  const opened = await openModel(await modelFiles(MODEL));
  const adapter = adapted ? await readPeft(await modelFiles(ADAPTER), loraTargets(opened.config)) : null;
  const gpu = await Gpu.request(openGpu(driver));
  const policy = await PackedChatModel.load(gpu, { ...opened, adapter }, { context: CONTEXT });
  // The files have no template; in the hub's copy it says no more than this.
  tokenizerOf(opened).applyChatTemplate = () => `<bos>${QUESTION}`;
  const draw = { temperature: 0, top_k: 0, top_p: 1, seed: 0, max_tokens: TOKENS };
  let text = '';
  const request = { ...draw, messages: [{ role: 'user' as const, content: QUESTION }] };
  for await (const token of policy.generate(request, new AbortController().signal)) text += token.text;
  policy.close();
  return text;
}

const openSettings = () => page.getByRole('button', { name: 'Settings', exact: true }).click();
const loading = () => page.getByRole('region', { name: 'Loading of tiny/llama' });

/** Asks in a new conversation. */
async function ask(): Promise<string> {
  await page.keyboard.press('Alt+n');
  await page.getByRole('textbox', { name: 'Prompt' }).fill(QUESTION);
  await page.keyboard.press('Enter');
  const answer = page.getByRole('region', { name: /^Answer from/ });
  await answer
    .getByText(/^temperature 0/)
    .or(answer.getByRole('alert'))
    .waitFor(SLOW);
  expect(await page.getByRole('alert').allInnerTexts()).toEqual([]);
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'JSON', exact: true }).click();
  const [conversation] = parseConversations(readFileSync(await (await download).path(), 'utf8'));
  const turns = Object.values(conversation!.turns);
  return turns.find((turn): turn is AnswerTurn => turn.role === 'assistant')!.text;
}

let plain = '';

test('a model from the hub answers as in Node', async () => {
  await page.getByText('Use a mirror of the Hub').click();
  await page.getByLabel('Address of the mirror').fill(hub.endpoint);
  await page.getByLabel('Model name on the Hugging Face Hub, or a web address').fill('tiny/llama');
  await page.keyboard.press('Enter');
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^Download/ })
    .click(SLOW);
  await page.getByRole('link', { name: 'Chat with tiny/llama' }).click(SLOW);
  await openSettings();
  await page.getByLabel('Temperature').fill('0');
  await page.getByLabel('Max tokens').fill(String(TOKENS));
  await page.getByLabel('Context length').fill(String(CONTEXT));
  await page.keyboard.press('Escape');
  plain = await ask();
  expect(plain).toBe(await reference(false));
});

test('a folder that holds no adapter is refused by what it lacks', async () => {
  await openSettings();
  await page.getByLabel('Folder of a LoRA adapter').setInputFiles(MODEL);
  await loading()
    .getByRole('alert')
    .filter({ hasText: /adapter_config\.json/ })
    .waitFor();
  await loading().getByRole('button', { name: 'Choose a folder' }).waitFor();
});

test('with the adapter it answers something else, and again as in Node', async () => {
  await page.getByLabel('Folder of a LoRA adapter').setInputFiles(ADAPTER);
  await loading().getByText('llama').waitFor();
  expect(await loading().getByRole('alert').count()).toBe(0);
  expect(await violations(page)).toEqual([]);
  expect(await overflow(page)).toBeLessThanOrEqual(0);
  await page.keyboard.press('Escape');
  const adapted = await ask();
  expect(adapted).not.toBe(plain);
  expect(adapted).toBe(await reference(true));
});

test('taken off again, the model is as it was', async () => {
  await openSettings();
  await loading()
    .getByRole('button', { name: /^Remove/ })
    .click();
  await page.keyboard.press('Escape');
  expect(await ask()).toBe(plain);
  // The hub is another origin, as it is outside of tests.
  expect(problems.filter((problem) => !problem.includes(hub.endpoint))).toEqual([]);
});
