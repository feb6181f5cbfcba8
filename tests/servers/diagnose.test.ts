/** @file A server that can't be reached, and why: each cause is told from the others, with the setting that mends it. */
import { afterEach, describe, expect, it } from 'vitest';
import { addressSpace, diagnose, type BrowserPage } from '../../src/servers/diagnose';
import { shellWord } from '../../src/servers/commands';
import { ALL_KINDS, kindOf, serverPresets, type AnyKind } from '../../src/servers/kinds';
import { startFaultServer, type FaultServer, type Request, type Script } from '../support/fault-server';
import { pageFetch, type PageRules } from '../support/page-fetch';

const ORIGIN = 'https://tinythink.example';
const SECRET = 'sk-0123456789abcdef';

const servers: FaultServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function pageOf(rules: Partial<PageRules> = {}, more: Partial<BrowserPage> = {}): BrowserPage {
  const all = { origin: ORIGIN, ...rules };
  return {
    origin: all.origin,
    onLine: true,
    // The name that Chrome had first.
    permission: (name) => Promise.resolve((name === 'local-network-access' && rules.localNetwork) || null),
    fetch: pageFetch(all),
    ...more,
  };
}

interface Cors {
  /** Null: no CORS at all. */
  origin: string | null;
  headers?: string;
  key?: string;
  /** Refusals come without the headers of CORS, as vLLM's do. */
  bareRefusals?: boolean;
}

async function serve({ origin, headers = 'content-type', key, bareRefusals = false }: Cors): Promise<FaultServer> {
  const server = await startFaultServer((request: Request): Script => {
    const cors: Record<string, string> = origin
      ? { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Headers': headers }
      : {};
    if (request.method === 'OPTIONS') return { status: origin ? 200 : 405, headers: cors };
    if (request.path === '/health') return { headers: cors, body: ['{}'] };
    if (key && request.headers.authorization !== `Bearer ${key}`) {
      return { status: 401, headers: bareRefusals ? {} : cors, body: ['{"error":"Unauthorized"}'] };
    }
    if (request.path === '/v1/models') return { headers: cors, body: ['{"data":[{"id":"m","owned_by":"vllm"}]}'] };
    return { status: 404, headers: cors, body: ['{"detail":"Not Found"}'] };
  });
  servers.push(server);
  // By the name that pages over https may ask.
  server.url = server.url.replace('127.0.0.1', 'localhost');
  return server;
}

async function deadUrl(): Promise<string> {
  const server = await startFaultServer(() => undefined);
  await server.close();
  return server.url;
}

const commands = (remedies: { command?: string }[]) => remedies.map(({ command }) => command ?? '').join('\n');

describe('a server', () => {
  it('that is fine is found', async () => {
    const { url } = await serve({ origin: '*' });
    const result = await diagnose(url, null, '', pageOf());
    expect(result).toMatchObject({
      cause: 'ok',
      message: 'vLLM answers and has the model m.',
      found: { server: { kind: 'vllm', url } },
    });
  });

  it('that doesn’t allow this page is told by its flag', async () => {
    const { url } = await serve({ origin: null });
    const result = await diagnose(url, 'vllm', '', pageOf());
    expect(result.cause).toBe('cors');
    expect(commands(result.remedies)).toBe(`--allowed-origins '["${ORIGIN}"]'`);
    const other = await serve({ origin: 'http://another.example' });
    const ollama = await diagnose(other.url, 'ollama', '', pageOf());
    expect(ollama.cause).toBe('cors');
    expect(commands(ollama.remedies)).toContain(`OLLAMA_ORIGINS=${ORIGIN} ollama serve`);
  });

  it('that isn’t there is dead', async () => {
    const result = await diagnose(await deadUrl(), null, '', pageOf());
    expect(result.cause).toBe('dead');
    expect(commands(result.remedies)).toContain('curl -i http://127.0.0.1');
  });

  it('that wants a key, or another one, says so', async () => {
    const { url } = await serve({ origin: '*', headers: 'authorization, content-type', key: SECRET });
    expect((await diagnose(url, 'vllm', '', pageOf())).cause).toBe('auth');
    expect((await diagnose(url, 'vllm', 'sk-wrong-wrong-wrong', pageOf())).cause).toBe('auth');
    expect((await diagnose(url, 'vllm', SECRET, pageOf())).cause).toBe('ok');
  });

  it('that refuses keys without a word of CORS is no dead server', async () => {
    const { url } = await serve({
      origin: '*',
      headers: 'authorization, content-type',
      key: SECRET,
      bareRefusals: true,
    });
    expect((await diagnose(url, 'vllm', '', pageOf())).cause).toBe('auth');
    const wrong = await diagnose(url, 'vllm', 'sk-wrong-wrong-wrong', pageOf());
    expect(wrong.cause).toBe('auth');
    expect(JSON.stringify(wrong)).not.toContain('sk-wrong-wrong-wrong');
  });

  it('that lets pages send no key (TGI, an older llama.cpp) is told by its flag', async () => {
    const { url } = await serve({ origin: '*', headers: '*', key: SECRET });
    const result = await diagnose(url, 'llamacpp', SECRET, pageOf());
    expect(result.cause).toBe('auth');
    expect(commands(result.remedies)).toContain('--cors-headers "Authorization,Content-Type"');
    const tgi = await diagnose(url, 'tgi', SECRET, pageOf());
    expect(tgi.remedies.map(({ text }) => text).join(' ')).toContain('TGI does not let web pages send a key');
  });

  it('that is another kind of thing is a wrong path', async () => {
    const page = {
      headers: { 'Content-Type': 'text/html', 'Access-Control-Allow-Origin': '*' },
      body: ['<html></html>'],
    };
    const site = await startFaultServer(() => page);
    servers.push(site);
    expect((await diagnose(site.url, null, '', pageOf())).cause).toBe('path');
    const empty = await startFaultServer(() => ({ status: 404, headers: { 'Access-Control-Allow-Origin': '*' } }));
    servers.push(empty);
    expect((await diagnose(empty.url, null, '', pageOf())).cause).toBe('path');
  });

  it('that is overloaded is alive', async () => {
    const busy = await startFaultServer(() => ({ status: 503, headers: { 'Access-Control-Allow-Origin': '*' } }));
    servers.push(busy);
    expect((await diagnose(busy.url, null, '', pageOf())).cause).toBe('answer');
  });

  it('gets its key only where it is asked for, never in a probe', async () => {
    const server = await serve({ origin: null });
    await diagnose(server.url, 'vllm', SECRET, pageOf());
    const withKey = server.asked.filter(({ headers }) => headers.authorization);
    expect(withKey).toEqual([]);
    expect(server.asked.length).toBeGreaterThan(2);
  });
});

describe('a browser', () => {
  it('that keeps a page over https from http is not asked at all', async () => {
    const page = pageOf({}, { fetch: () => Promise.reject(new Error('asked')) });
    const result = await diagnose('http://gpu.example.com:8000', null, '', page);
    expect(result.cause).toBe('mixed');
    expect(commands(result.remedies)).toContain('ssh -N -L 8000:localhost:8000 gpu.example.com');
    const home = pageOf({ origin: 'http://localhost:5173' });
    home.fetch = () => Promise.reject(new TypeError('Failed to fetch'));
    expect((await diagnose('http://gpu.example.com:8000', null, '', home)).cause).toBe('dead');
  });

  it('that keeps a page from the local network is told from a dead server', async () => {
    const { url } = await serve({ origin: '*' });
    expect((await diagnose(url, null, '', pageOf({ localNetwork: 'granted' }))).cause).toBe('ok');
    expect((await diagnose(url, null, '', pageOf({ localNetwork: 'denied' }))).cause).toBe('permission');
    expect((await diagnose(url, null, '', pageOf({ localNetwork: 'prompt' }))).cause).toBe('permission');
    expect((await diagnose(await deadUrl(), null, '', pageOf({ localNetwork: 'granted' }))).cause).toBe('dead');
    const plain = pageOf({ origin: 'http://tinythink.example', localNetwork: 'denied' });
    expect(await diagnose(url, null, '', plain)).toMatchObject({
      cause: 'permission',
      message: expect.stringContaining('https') as string,
    });
    // On the same machine there is nothing to ask.
    expect(
      (await diagnose(await deadUrl(), null, '', pageOf({ origin: 'http://localhost:5173', localNetwork: 'denied' })))
        .cause,
    ).toBe('dead');
  });

  it('that doesn’t ask keeps a page over https from http in the local network', async () => {
    expect((await diagnose('http://192.168.77.77:8000', null, '', pageOf())).cause).toBe('mixed');
  });

  it('without a network says so', async () => {
    expect((await diagnose('https://api.deepseek.com', null, '', pageOf({}, { onLine: false }))).cause).toBe('offline');
  });
});

describe('an address', () => {
  it('that can’t be one is told at once', async () => {
    expect((await diagnose('http://', null, '', pageOf())).cause).toBe('address');
    const any = await diagnose('http://0.0.0.0:8000', null, '', pageOf());
    expect(any).toMatchObject({ cause: 'address', remedies: [{ command: 'http://localhost:8000' }] });
    expect((await diagnose('http://localhost:1', null, 'a b', pageOf())).cause).toBe('address');
  });

  it('is this machine’s, this network’s, or anywhere', () => {
    const spaces = (...hosts: string[]) => [...new Set(hosts.map(addressSpace))];
    expect(spaces('localhost', '127.0.0.1', '127.1.2.3', '[::1]', 'a.localhost')).toEqual(['loopback']);
    expect(
      spaces(
        '10.0.0.1',
        '192.168.1.2',
        '172.16.0.1',
        '172.31.9.9',
        '100.64.0.1',
        'nas',
        'nas.local',
        '[fd00::1]',
        '[fe80::1]',
      ),
    ).toEqual(['local']);
    expect(spaces('8.8.8.8', '172.32.0.1', '100.128.0.1', 'example.com', '10.example.com', '[2001:db8::1]')).toEqual([
      'public',
    ]);
  });

  it('ends the diagnosis when the user does', async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(diagnose('http://localhost:9', null, '', pageOf(), abort.signal)).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('presets', () => {
  const presets = serverPresets(ORIGIN);

  it('start every kind of server that one starts, each for this page', () => {
    const kinds = new Set(presets.map(({ kind }) => kind));
    const started: AnyKind[] = ['vllm', 'sglang', 'llamacpp', 'ollama', 'tgi', 'transformers', 'tinythink-remote'];
    expect([...kinds].sort()).toEqual(started.sort());
    for (const { commands: lines, kind } of presets) {
      // SGLang answers every page, transformers serve none or all.
      if (kind !== 'sglang' && kind !== 'transformers') expect(lines.join('\n')).toContain(ORIGIN);
      if (kind === 'transformers') expect(lines.join('\n')).toContain('--enable-cors');
    }
    expect(new Set(presets.map(({ id }) => id)).size).toBe(presets.length);
  });

  it('split what needs several GPUs, and have all of Ollama’s sizes', () => {
    const line = (id: string) => presets.find((preset) => preset.id === id)!.commands.join('\n');
    expect(line('vllm-32b')).toContain('R1-Distill-Qwen-32B --tensor-parallel-size 2');
    expect(line('vllm-70b')).toContain('R1-Distill-Llama-70B --tensor-parallel-size 4');
    expect(line('vllm-671b')).toContain('deepseek-ai/DeepSeek-R1-0528 --tensor-parallel-size 8');
    const sizes = presets.filter(({ kind }) => kind === 'ollama').map(({ model }) => model.split(':')[1]);
    expect(sizes).toEqual(['1.5b', '7b', '8b', '14b', '32b', '70b', '671b']);
  });

  it('and remedies quote what a shell would take apart', () => {
    expect(shellWord("it's; rm -rf")).toBe(`'it'\\''s; rm -rf'`);
    for (const kind of ALL_KINDS) expect(kindOf(kind).corsRemedies(ORIGIN, false).length).toBeGreaterThan(0);
  });
});
