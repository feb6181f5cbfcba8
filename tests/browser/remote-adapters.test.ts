/**
 * @file The adapters in a real browser, from a page to servers of other origins: what CORS lets through, what it hides,
 * who sees the key, and that a stopped answer ends the connection.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type * as Remote from '../support/remote-entry';
import { launchBrowser } from '../support/browser';
import { startFaultServer, type FaultServer, type Script } from '../support/fault-server';
import { STREAMS } from '../support/server-streams';

declare global {
  interface Window {
    remote: typeof Remote;
  }
}

const SECRET = 'sk-0123456789abcdef';

let browser: Browser;
let script: string;
let page: Page;
let site: FaultServer;
const servers: FaultServer[] = [];

beforeAll(async () => {
  browser = await launchBrowser('none');
  const folder = mkdtempSync(join(tmpdir(), 'tinythink-remote-'));
  const entry = join(import.meta.dirname, '../support/remote-entry.ts');
  const output = await build({
    configFile: false,
    logLevel: 'error',
    build: { outDir: folder, write: false, minify: false, lib: { entry, formats: ['iife'], name: 'remote' } },
  });
  rmSync(folder, { recursive: true });
  const [built] = Array.isArray(output) ? output : [output];
  if (!built || !('output' in built)) throw new Error('nothing was built');
  script = built.output[0].code;
});
afterAll(() => browser?.close());

beforeEach(async () => {
  site = await startFaultServer(() => ({
    headers: { 'Content-Type': 'text/html' },
    body: ['<!doctype html><title>x</title>'],
  }));
  const context = await browser.newContext();
  page = await context.newPage();
  await page.goto(site.url);
  await page.addScriptTag({ content: script });
});
afterEach(async () => {
  await page.context().close();
  for (const server of [site, ...servers.splice(0)]) await server.close();
});

const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'authorization, content-type' };

async function serve(answer: Script, headers: Record<string, string> = cors): Promise<FaultServer> {
  const server = await startFaultServer(({ method, path }) => {
    if (method === 'OPTIONS') return { headers };
    if (path === '/v1/models') return { headers, body: ['{"data":[{"id":"m","owned_by":"vllm"}]}'] };
    return { ...answer, headers: { ...headers, ...answer.headers } };
  });
  servers.push(server);
  return server;
}

const streamOf = (ending: Script['ending'], events: number): Script => ({
  headers: { 'Content-Type': STREAMS.vllm.contentType },
  body: STREAMS.vllm.events.slice(0, events),
  ending: ending!,
});

/** Asks from the page; stops after so many tokens where a number is given. */
const ask = (url: string, stopAfter = Infinity) =>
  page.evaluate(
    async ({ url, secret, stopAfter }) => {
      const { ServerChatModel, ServerKey } = window.remote;
      const server = { kind: 'vllm' as const, url, label: 'server', key: new ServerKey(url, secret) };
      const abort = new AbortController();
      const request = {
        messages: [{ role: 'user' as const, content: 'x' }],
        max_tokens: 9,
        temperature: 1,
        top_k: 0,
        top_p: 1,
        seed: 1,
      };
      let text = '';
      let tokens = 0;
      try {
        for await (const token of new ServerChatModel(server, { id: 'm' }).generate(request, abort.signal)) {
          text += token.text;
          if (++tokens === stopAfter) abort.abort();
        }
        return { text, error: '' };
      } catch (error) {
        return { text, error: (error as { code: string }).code };
      }
    },
    { url, secret: SECRET, stopAfter },
  );

const diagnose = (url: string, secret = '') =>
  page.evaluate(
    async ({ url, secret }) => (await window.remote.diagnose(url, null, secret, window.remote.thisPage())).cause,
    { url, secret },
  );

describe('a page', () => {
  it('streams from a server of another origin, with a key', async () => {
    const server = await serve(streamOf('end', Infinity));
    expect(await ask(server.url)).toEqual({ text: STREAMS.vllm.text, error: '' });
    const [preflight, asked] = server.asked;
    expect(preflight!.method).toBe('OPTIONS');
    expect(preflight!.headers['access-control-request-headers']).toBe('authorization,content-type');
    expect(asked!.headers.authorization).toBe(`Bearer ${SECRET}`);
    expect(asked!.headers.referer).toBeUndefined();
    expect(asked!.headers.cookie).toBeUndefined();
  });

  it('tells a cut stream from a whole one', async () => {
    for (const ending of ['end', 'cut'] as const) {
      expect((await ask((await serve(streamOf(ending, 5))).url)).error).toBe('truncated');
    }
  });

  it('ends the connection when the answer is stopped', async () => {
    const server = await serve(streamOf('hold', 5));
    expect((await ask(server.url, 2)).error).toBe('');
    await server.asked.at(-1)!.left;
  });

  it('follows no redirect, so that nobody else gets prompt or key', async () => {
    const other = await serve(streamOf('end', Infinity));
    const first = await serve({ status: 307, headers: { Location: `${other.url}/v1/chat/completions` } });
    expect((await ask(first.url)).error).toBe('redirect');
    expect(other.asked).toEqual([]);
  });

  it('knows why a server can’t be reached', async () => {
    const fine = await serve(streamOf('end', Infinity));
    expect(await diagnose(fine.url, SECRET)).toBe('ok');
    const closed = await serve(streamOf('end', Infinity), {});
    expect((await ask(closed.url)).error).toBe('unreachable');
    expect(await diagnose(closed.url, SECRET)).toBe('cors');
    const keyless = await serve(streamOf('end', Infinity), {
      'Access-Control-Allow-Origin': '*',
      // As TGI has it. Chrome takes a star for Authorization too, which the standard doesn't.
      'Access-Control-Allow-Headers': 'content-type',
    });
    expect(await diagnose(keyless.url, SECRET)).toBe('auth');
    expect(await diagnose(keyless.url)).toBe('ok');
    await keyless.close();
    expect(await diagnose(keyless.url)).toBe('dead');
  });
});
