/** A model on a server through the page: connected, talked to, evaluated; and where its key goes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import type { Browser, Download, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { overflow, violations } from '../support/axe';
import { launchBrowser } from '../support/browser';

const SLOW = { timeout: 20_000 };
const KEY = 'sk-never-to-be-seen-1234';
const PROBLEMS = [
  { problem: 'What is $6 \\times 7$?', answer: '#### 42' },
  { problem: 'Half as a fraction?', answer: '\\frac{1}{2}' },
  { question: 'Eleven or twelve?', answer: 12 },
];
/** What the model says, by a word of the question. */
const SAYS: Record<string, string> = { times: '\\boxed{42}', fraction: '\\boxed{0.5}', Eleven: '\\boxed{11}' };

interface Asked {
  path: string;
  method: string;
  key: string | undefined;
}

let model: Server;
let address: string;
const asked: Asked[] = [];
/** Whether the server lets pages in. */
let open = true;
/** Answers that are given before the server stops answering. */
let left = Infinity;
let browser: Browser;
let page: Page;
const problems: string[] = [];

/** Speaks as vLLM does, and asks for the key. */
function startModel(): Promise<Server> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += String(piece);
    const { url: path = '', method = '', headers } = request;
    asked.push({ path, method, key: headers.authorization });
    const cors = open
      ? { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization,content-type' }
      : {};
    const json = (status: number, value: unknown) =>
      response.writeHead(status, { ...cors, 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (method === 'OPTIONS') return void response.writeHead(204, cors).end();
    if (headers.authorization !== `Bearer ${KEY}`) return void json(401, { error: 'Unauthorized' });
    if (path === '/v1/models') {
      return void json(200, { data: [{ id: 'tiny/thinker', owned_by: 'vllm', max_model_len: 4096 }] });
    }
    if (path !== '/v1/chat/completions') return void json(404, { detail: 'Not Found' });
    if (left-- <= 0) return void json(500, { error: { message: 'out of order' } });
    const { messages } = JSON.parse(body) as { messages: { content: string }[] };
    const question = messages.at(-1)!.content;
    const said = Object.entries(SAYS).find(([word]) => question.includes(word))?.[1] ?? 'Hello.';
    response.writeHead(200, { ...cors, 'Content-Type': 'text/event-stream' });
    const send = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
    const thought = `I was asked something. ${'Let me think it over once more. '.repeat(12)}`;
    for (const reasoning of thought.split(/(?<= )/)) send({ choices: [{ index: 0, delta: { reasoning } }] });
    send({ choices: [{ index: 0, delta: { content: `So it is ${said}` } }] });
    send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
    send({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 100 } });
    response.end('data: [DONE]\n\n');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

beforeAll(async () => {
  model = await startModel();
  address = `http://127.0.0.1:${(model.address() as AddressInfo).port}`;
  // What is on servers needs no GPU here.
  browser = await launchBrowser('none');
  const context = await browser.newContext({ acceptDownloads: true, serviceWorkers: 'block' });
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => problems.push(message.text()));
  await page.goto(`${inject('appUrl')}#/connect`);
});
afterAll(async () => {
  await browser?.close();
  model?.closeAllConnections();
  model?.close();
});

const go = (hash: string) => page.evaluate((to) => (location.hash = to), hash);
const textOf = async (download: Download) => readFileSync(await download.path(), 'utf8');

async function saved(press: () => Promise<void>): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), press()]);
  return textOf(download);
}

/** All that the page keeps: databases, local and session storage, caches, the address, and what it shows. */
const kept = () =>
  page.evaluate(async () => {
    const found: unknown[] = [location.href, { ...localStorage }, { ...sessionStorage }, document.body.innerText];
    for (const { name } of await indexedDB.databases()) {
      const db = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open(name!);
        opening.onsuccess = () => resolve(opening.result);
        opening.onerror = () => reject(opening.error);
      });
      for (const store of db.objectStoreNames) {
        const all = db.transaction(store).objectStore(store).getAll();
        found.push(await new Promise((resolve) => (all.onsuccess = () => resolve([name, all.result]))));
      }
      db.close();
    }
    for (const name of await caches.keys()) found.push((await (await caches.open(name)).keys()).map(({ url }) => url));
    return JSON.stringify(found);
  });

async function connect(key: string): Promise<void> {
  await page.getByLabel('Address').fill(address);
  await page.getByLabel('Key (if the server needs one)').fill(key);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
}

describe('a server', () => {
  test('is asked nothing before a click', async () => {
    await page.getByRole('heading', { name: 'Start a server' }).waitFor(SLOW);
    await page.getByLabel('Address').fill(address);
    expect(asked).toEqual([]);
  });

  test('that lets no page in, is told apart, with the flag that mends it', async () => {
    open = false;
    await page.getByLabel('Kind of server').selectOption('vLLM');
    await connect('');
    const alert = page.getByRole('alert');
    await alert.getByText('--allowed-origins').waitFor({ timeout: 60_000 });
    expect(await alert.innerText()).toContain(new URL(inject('appUrl')).origin);
    expect(await violations(page)).toEqual([]);
    open = true;
    await page.getByLabel('Kind of server').selectOption('Detect automatically');
  });

  test('that wants a key, says so', async () => {
    await connect('wrong');
    await page.getByRole('alert').getByText('The key is missing or wrong').waitFor(SLOW);
  });

  test('is connected, and its models are listed', async () => {
    await connect(KEY);
    await page.getByText('is connected, with 1 model.').waitFor(SLOW);
    await page.getByText(/vLLM.*until the page is closed/).waitFor();
    expect(await page.getByLabel('Key (if the server needs one)').inputValue()).toBe('');
    expect(await violations(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });
});

describe('its model', () => {
  test('answers in the chat without a GPU here, thoughts folded', async () => {
    await page.getByRole('link', { name: 'Chat with tiny/thinker' }).click();
    await page.getByLabel('Prompt', { exact: true }).fill('What is 6 times 7?');
    await page.keyboard.press('Enter');
    const answer = page.getByRole('region', { name: /^Answer from tiny\/thinker/ });
    await answer.getByText(/So it is/).waitFor(SLOW);
    const thought = answer.getByRole('button', { name: /^Thought for/ });
    expect(await thought.getAttribute('aria-expanded')).toBe('false');
    await answer.getByText('context 109 of 4,096').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  test('stands beside a local one in the other column', async () => {
    await page.getByRole('button', { name: 'Compare two models' }).click();
    const [first, second] = [page.getByLabel('Model 1'), page.getByLabel('Model 2')];
    const label = (picker: typeof first) =>
      picker.evaluate((select: HTMLSelectElement) => select.selectedOptions[0]?.text);
    await expect.poll(() => label(first)).toMatch(/^tiny\/thinker/);
    expect(await label(second)).toMatch(/^tinythink-1m/);
    await page.getByRole('button', { name: 'Compare two models' }).click();
  });

  test('is evaluated on a file, breaks off, and goes on after a reload', async () => {
    await go('#/eval');
    await page.getByLabel('Problems from a file').check();
    await page.getByLabel('A .jsonl file of problems').setInputFiles({
      name: 'bad.jsonl',
      mimeType: 'application/jsonl',
      buffer: Buffer.from('{"problem": "a", "answer": "1"}\n{"problem": 7}'),
    });
    await page.getByRole('alert').getByText('bad.jsonl: Line 2').waitFor(SLOW);
    await page.getByLabel('A .jsonl file of problems').setInputFiles({
      name: 'three.jsonl',
      mimeType: 'application/jsonl',
      buffer: Buffer.from(PROBLEMS.map((problem) => JSON.stringify(problem)).join('\n')),
    });
    await page.getByText('three.jsonl: 3 problems').waitFor(SLOW);
    await page.getByLabel(/tiny\/thinker/).check();
    await page.getByLabel('Requests at a time (servers)').fill('1');
    expect(await violations(page)).toEqual([]);
    left = 2;
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByText('2 of 3 answers are here.').waitFor(SLOW);
    await page.getByRole('alert').getByText('out of order').waitFor();
    left = Infinity;
    const before = asked.length;
    await page.reload();
    await page.getByText('2 of 3 answers are here.').waitFor(SLOW);
    expect(asked).toHaveLength(before);
    // The key was in memory alone, so the server refuses: nothing is lost, and nothing is counted as wrong.
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('alert').getByText('needs a key').waitFor(SLOW);
    await go('#/connect');
    await page.getByText('Add a key').click();
    await page.getByLabel('Key for 127.0.0.1').fill(KEY);
    await page.getByRole('button', { name: 'Set the key' }).click();
    await page.getByText(/The key for .* has been set/).waitFor(SLOW);
    await page.goBack();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('The evaluation is complete.').waitFor({ ...SLOW, state: 'attached' });
    const row = page.getByRole('row', { name: /^tiny\/thinker/ });
    await row.getByText('66.7%').waitFor();
    await row.getByText('27 in, 300 out').waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test('what it wrote is read as markdown, with its thoughts folded', async () => {
    await page.getByRole('button', { name: /^3 Eleven/ }).click();
    const dialog = page.getByRole('dialog', { name: 'Problem 3' });
    await dialog.getByText('✗ Wrong').waitFor();
    expect(await dialog.getByRole('button', { name: 'Thought' }).getAttribute('aria-expanded')).toBe('false');
    await dialog.getByRole('button', { name: 'Next problem' }).click();
    const first = page.getByRole('dialog', { name: 'Problem 1' });
    await first.locator('.katex').first().waitFor(SLOW);
    expect(await violations(page)).toEqual([]);
    await page.keyboard.press('Escape');
  });
});

describe('its key', () => {
  test('is in no export, no link, no storage and no log', async () => {
    const files = [
      await saved(() => page.getByRole('button', { name: 'Export JSON' }).click()),
      await saved(() => page.getByRole('button', { name: 'Export CSV' }).click()),
    ];
    expect(files[0]).toContain('"pass_at_1": 0.6666');
    expect(files[1]!.split('\n')).toHaveLength(5);
    await go('#/chat');
    files.push(await saved(() => page.getByRole('button', { name: 'Export all' }).click()));
    const everything = [...files, await kept(), ...problems].join('\n');
    expect(everything).toContain('tiny/thinker');
    expect(everything).not.toContain(KEY);
    expect(everything).not.toContain(Buffer.from(KEY).toString('base64'));
  });

  test('is kept when the user says so, and forgotten when told to', async () => {
    await go('#/connect');
    await page.getByText('Change or remove the key').click();
    await page.getByLabel('Key for 127.0.0.1').fill(KEY);
    await page.getByLabel('Keep on this device').check();
    await page.getByRole('button', { name: 'Set the key' }).click();
    await page.getByText('kept on this device').waitFor(SLOW);
    expect(await kept()).toContain(KEY);
    await page.reload();
    await page.getByRole('button', { name: /^Refresh/ }).click();
    await page.getByText('answers, with 1 model.').waitFor(SLOW);
    await page.getByText('Change or remove the key').click();
    await page.getByRole('button', { name: 'Remove the key' }).click();
    await page.getByText(/The key for .* has been removed/).waitFor(SLOW);
    expect(await kept()).not.toContain(KEY);
    await page.getByRole('button', { name: /^Remove 127/ }).click();
    await page.getByText('Removed').waitFor();
    expect(await page.getByRole('button', { name: /^Refresh/ }).count()).toBe(0);
  });
});
