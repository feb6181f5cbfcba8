/** @file Over real connections: what servers do when things go wrong, what they are sent, and who learns the key. */
import { afterEach, describe, expect, it } from 'vitest';
import { detectServer } from '../../src/servers/detect';
import { RemoteError } from '../../src/servers/errors';
import { ServerKey } from '../../src/servers/key';
import { listModels } from '../../src/servers/models';
import { ServerChatModel, type ServerChatModelOptions } from '../../src/servers/chat/server-chat-model';
import { SERVER_KINDS, type ServerKind } from '../../src/servers/kinds';
import { serverUrl, type RemoteServer } from '../../src/servers/server';
import type { GenerateRequest, ChatToken } from '../../src/runs/chat-model';
import { startFaultServer, type FaultServer, type Script } from '../support/fault-server';
import { STREAMS } from '../support/server-streams';

const REQUEST: GenerateRequest = {
  messages: [{ role: 'user', content: '2+2?' }],
  max_tokens: 100,
  temperature: 0.6,
  top_k: 0,
  top_p: 0.95,
  seed: 1,
};
const SECRET = 'sk-0123456789abcdef';

const servers: FaultServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(script: Parameters<typeof startFaultServer>[0] | Script): Promise<FaultServer> {
  const server = await startFaultServer(typeof script === 'function' ? script : () => script);
  servers.push(server);
  return server;
}

interface Ask {
  kind?: ServerKind;
  secret?: string;
  request?: Partial<GenerateRequest>;
  options?: ServerChatModelOptions;
  signal?: AbortSignal;
  model?: string;
}

async function ask(server: FaultServer, { kind = 'vllm', secret, request, options, signal, model = 'm' }: Ask = {}) {
  const key = secret ? new ServerKey(server.url, secret) : null;
  const policy = new ServerChatModel({ kind, url: server.url, label: 'my server', key }, { id: model }, options);
  const tokens: ChatToken[] = [];
  let error: unknown = null;
  try {
    const abort = signal ?? new AbortController().signal;
    for await (const token of policy.generate({ ...REQUEST, ...request }, abort)) tokens.push(token);
  } catch (thrown) {
    error = thrown;
  }
  return { tokens, text: tokens.map(({ text }) => text).join(''), error: error as RemoteError | null };
}

const stream = (kind: ServerKind, body: Script['body'], more: Script = {}): Script => ({
  headers: { 'Content-Type': STREAMS[kind].contentType },
  body: body ?? [],
  ...more,
});
const beginning = (kind: ServerKind) => STREAMS[kind].events.slice(0, 4);

describe.each(SERVER_KINDS)('%s', (kind) => {
  it('answers over a real connection, a few bytes at a time', async () => {
    const bytes = Buffer.from(STREAMS[kind].body);
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, i) => bytes.subarray(i * 7, i * 7 + 7));
    const { text, error } = await ask(await serve(stream(kind, pieces)), { kind });
    expect(error).toBeNull();
    expect(text).toBe(STREAMS[kind].text);
  });

  it('is truncated when the connection is cut, and when it just ends', async () => {
    for (const ending of ['cut', 'end'] as const) {
      const { text, error, tokens } = await ask(await serve(stream(kind, beginning(kind), { ending })), { kind });
      expect(error).toMatchObject({ name: 'RemoteError', code: 'truncated' });
      expect(STREAMS[kind].text.startsWith(text)).toBe(true);
      expect(tokens.some(({ finish }) => finish)).toBe(false);
    }
  });

  it('is given up when it falls silent', async () => {
    const { error } = await ask(await serve(stream(kind, beginning(kind), { ending: 'hold' })), {
      kind,
      options: { stallMs: 60 },
    });
    expect(error).toMatchObject({ code: 'stalled' });
  });

  it('is given up when it never answers', async () => {
    const { error } = await ask(await serve({ silent: true }), { kind, options: { firstMs: 60 } });
    expect(error).toMatchObject({ code: 'stalled' });
  });

  it('lets the connection go when the answer is stopped', async () => {
    const server = await serve(stream(kind, beginning(kind), { ending: 'hold' }));
    const abort = new AbortController();
    const asked = ask(server, { kind, signal: abort.signal });
    await expect.poll(() => server.asked.length).toBe(1);
    abort.abort();
    expect((await asked).error).toBeNull();
    await server.asked[0]!.left;
  });

  it('gives out nothing more once it is stopped, though more has come', async () => {
    const server = await serve(stream(kind, [STREAMS[kind].body]));
    const policy = new ServerChatModel({ kind, url: server.url, label: 's' }, { id: 'm' });
    const abort = new AbortController();
    let count = 0;
    for await (const token of policy.generate(REQUEST, abort.signal)) {
      count++;
      expect(token.finish).toBeUndefined();
      abort.abort();
    }
    expect(count).toBe(1);
  });

  it('lets the connection go when the reader leaves', async () => {
    const server = await serve(stream(kind, beginning(kind), { ending: 'hold' }));
    const policy = new ServerChatModel({ kind, url: server.url, label: 's' }, { id: 'm' });
    for await (const token of policy.generate(REQUEST, new AbortController().signal)) if (token.text) break;
    await server.asked[0]!.left;
  });

  it('ends when the answer has, whatever the connection does then', async () => {
    const whole = STREAMS[kind].events.slice(0, STREAMS[kind].finish + 1);
    for (const ending of ['end', 'cut', 'hold'] as const) {
      const { error, text } = await ask(await serve(stream(kind, whole, { ending })), {
        kind,
        options: { stallMs: 80 },
      });
      expect(error).toBeNull();
      expect(text).toBe(STREAMS[kind].text);
    }
  });

  it('tells a refused key, a missing model, a limit and a web page apart', async () => {
    const outcome = async (script: Script) => (await ask(await serve(script), { kind, secret: SECRET })).error;
    const said = (message: string) => [JSON.stringify({ error: { message, type: 'x' } })];
    expect(await outcome({ status: 401, body: ['{"error":"Unauthorized"}'] })).toMatchObject({ code: 'auth' });
    expect(await outcome({ status: 403, body: [] })).toMatchObject({ code: 'auth' });
    expect(await outcome({ status: 402, body: said('Insufficient Balance') })).toMatchObject({ code: 'payment' });
    expect(await outcome({ status: 404, body: said('The model `m` does not exist.') })).toMatchObject({
      code: 'model',
    });
    expect(await outcome({ status: 404, body: ['{"detail":"Not Found"}'] })).toMatchObject({ code: 'path' });
    expect(await outcome({ status: 400, body: said('maximum context length is 10') })).toMatchObject({
      code: 'request',
    });
    expect(await outcome({ status: 429, body: said('slow down') })).toMatchObject({ code: 'rate' });
    expect(await outcome({ status: 503, body: said('Loading model') })).toMatchObject({ code: 'overloaded' });
    expect(await outcome({ status: 500, body: ['not json'] })).toMatchObject({ code: 'server' });
    expect(await outcome({ status: 502, body: [] })).toMatchObject({ code: 'unreachable' });
    const page = { headers: { 'Content-Type': 'text/html' }, body: ['<html>Sign in</html>'] };
    expect(await outcome(page)).toMatchObject({ code: 'html' });
    expect(await outcome({ ...page, status: 404 })).toMatchObject({ code: 'html' });
  });

  it('never sends the key to where a server sends on', async () => {
    const other = await serve(stream(kind, [STREAMS[kind].body]));
    for (const status of [301, 302, 303, 307, 308]) {
      const first = await serve({ status, headers: { Location: `${other.url}/v1/chat/completions` } });
      const { error } = await ask(first, { kind, secret: SECRET });
      expect(error).toMatchObject({ code: 'redirect' });
      expect(first.asked[0]!.headers.authorization).toBe(`Bearer ${SECRET}`);
    }
    expect(other.asked).toEqual([]);
  });

  it('keeps the key out of messages, though the server sends it back', async () => {
    const leaks: Script[] = [401, 400, 404, 429, 500].map((status) => ({
      status,
      body: [JSON.stringify({ error: { message: `Incorrect key: ${SECRET} (\u200b${SECRET})` } })],
    }));
    leaks.push(
      stream(kind, [kind === 'ollama' ? `{"error":"${SECRET}"}\n` : `data: {"error":{"message":"${SECRET}"}}\n\n`]),
    );
    for (const script of leaks) {
      const { error } = await ask(await serve(script), { kind, secret: SECRET });
      expect(error).toBeInstanceOf(RemoteError);
      expect(`${error!.stack} ${error!.message} ${JSON.stringify(error)} ${String(error!.cause)}`).not.toContain(
        SECRET,
      );
    }
  });
});

describe('an error in the middle of a stream', () => {
  const after = async (kind: ServerKind, ...lines: string[]) =>
    (await ask(await serve(stream(kind, [...beginning(kind), ...lines])), { kind })).error;

  it('is told in the words of each server', async () => {
    const done = 'data: [DONE]\n\n';
    const said = { code: 'server', message: expect.stringContaining('out of memory') as string };
    expect(
      await after('vllm', 'data: {"error":{"object":"error","message":"out of memory","code":500}}\n\n', done),
    ).toMatchObject(said);
    expect(
      await after('sglang', 'data: {"object":"error","message":"out of memory","code":500}\n\n', done),
    ).toMatchObject(said);
    expect(
      await after('llamacpp', 'data: {"error":{"code":500,"message":"out of memory","type":"server_error"}}\n\n'),
    ).toMatchObject(said);
    expect(await after('llamacpp', 'error: {"code":500,"message":"out of memory"}\n\n')).toMatchObject(said);
    expect(await after('ollama', '{"error":"out of memory"}\n')).toMatchObject(said);
    expect(await after('tgi', 'data:{"error":"out of memory","error_type":"generation"}\n\n')).toMatchObject(said);
    // As transformers writes it, quotes and all.
    expect(await after('transformers', 'data: {"error": "CUDA "out of memory" at x"}\n\n')).toMatchObject(said);
  });

  it('is told by the reason of the end', async () => {
    const ended = (reason: string) => `data: {"choices":[{"index":0,"delta":{},"finish_reason":"${reason}"}]}\n\n`;
    expect(await after('sglang', ended('abort'), 'data: [DONE]\n\n')).toMatchObject({ code: 'server' });
    expect(await after('deepseek', ended('insufficient_system_resource'))).toMatchObject({ code: 'overloaded' });
    expect(await after('openai', ended('content_filter'))).toMatchObject({ code: 'filtered' });
    // OpenRouter has both in one.
    const both =
      'data: {"error":{"message":"no"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}\n\n';
    expect(await after('openai', both)).toMatchObject({ code: 'server' });
    expect(await after('openai', ended('error'))).toMatchObject({ code: 'server' });
  });

  it('of which Ollama’s OpenAI paths say nothing, is a cut stream', async () => {
    expect(await after('ollama-v1')).toMatchObject({ code: 'truncated' });
  });
});

describe('patience', () => {
  it('waits as long as the server asks for, before the first byte, and says so', async () => {
    const server = await serve((_, count) =>
      count < 2
        ? { status: count === 0 ? 429 : 503, headers: { 'Retry-After': '0' } }
        : stream('vllm', [STREAMS.vllm.body]),
    );
    const { text, tokens, error } = await ask(server);
    expect(error).toBeNull();
    expect(text).toBe(STREAMS.vllm.text);
    expect(server.asked).toHaveLength(3);
    expect(tokens[0]!.notice).toContain('asked to wait 0 s');
  });

  it('ends: after a few times, and at once when too much is asked', async () => {
    const busy = await serve({ status: 429, headers: { 'Retry-After': '0' } });
    expect((await ask(busy)).error).toMatchObject({ code: 'rate' });
    expect(busy.asked).toHaveLength(4);
    const long = await serve({ status: 503, headers: { 'Retry-After': '3600' } });
    expect((await ask(long)).error).toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('3,600 s') as string,
    });
    expect(long.asked).toHaveLength(1);
  });

  it('ends when the user does', async () => {
    const server = await serve({ status: 429, headers: { 'Retry-After': '20' } });
    const abort = new AbortController();
    const asked = ask(server, { signal: abort.signal });
    await expect.poll(() => server.asked.length).toBe(1);
    abort.abort();
    expect(await asked).toMatchObject({ tokens: [], error: null });
  });

  it('is not for other failures, nor for an answer that has begun', async () => {
    for (const script of [
      { status: 500, headers: { 'Retry-After': '0' } },
      stream('vllm', beginning('vllm'), { ending: 'cut' }),
    ]) {
      const server = await serve(script as Script);
      await ask(server);
      expect(server.asked).toHaveLength(1);
    }
  });

  it('counts comments as life, but not for ever', async () => {
    const slow = [...Array<string>(8).fill(': keep-alive\n\n'), STREAMS.deepseek.body];
    const options = { stallMs: 150 };
    const kept = await ask(await serve(stream('deepseek', slow, { pace: 40 })), { kind: 'deepseek', options });
    expect(kept.error).toBeNull();
    const never = Array<string>(100).fill(': keep-alive\n\n');
    const left = await ask(await serve(stream('deepseek', never, { pace: 20 })), {
      kind: 'deepseek',
      options: { ...options, waitMs: 200 },
    });
    expect(left.error).toMatchObject({ code: 'stalled' });
  });

  it('is not for a list that trickles in', async () => {
    const trickle = { body: Array<string>(300).fill(' '), pace: 15 };
    const server = { kind: 'vllm' as const, url: (await serve(trickle)).url, label: 's' };
    const begun = Date.now();
    await expect(listModels(server, { firstMs: 150, stallMs: 150 })).rejects.toMatchObject({ code: 'stalled' });
    expect(Date.now() - begun).toBeLessThan(2000);
  });

  it('is not for a server that sends far more than was asked for', async () => {
    const event = `data: {"choices":[{"delta":{"content":"${'x'.repeat(500_000)}"}}]}\n\n`;
    const { error } = await ask(await serve(stream('vllm', Array<string>(10).fill(event), { ending: 'hold' })));
    expect(error).toMatchObject({ code: 'protocol' });
  });
});

describe('what is sent', () => {
  const sent = async (kind: ServerKind, request: Partial<GenerateRequest> = {}) => {
    const server = await serve(stream(kind, [STREAMS[kind].body]));
    const { tokens } = await ask(server, { kind, request });
    const { body, path, headers } = server.asked[0]!;
    return { body: JSON.parse(body) as Record<string, unknown>, path, headers, notice: tokens[0]!.notice };
  };
  const all = { top_k: 40, min_p: 0.05, repetition_penalty: 1.1, top_logprobs: 5, top_p: 0.9 };
  const common = ['max_tokens', 'messages', 'model', 'stream', 'temperature'];

  it('is what each kind takes and nothing else', async () => {
    const keys = async (kind: ServerKind) => Object.keys((await sent(kind, all)).body).sort();
    const more = (...names: string[]) => [...common, ...names].sort();
    const openai = more('top_p', 'seed', 'logprobs', 'top_logprobs', 'stream_options');
    expect(await keys('vllm')).toEqual([...openai, 'top_k', 'min_p', 'repetition_penalty'].sort());
    expect(await keys('sglang')).toEqual([...openai, 'top_k', 'min_p', 'repetition_penalty'].sort());
    expect(await keys('llamacpp')).toEqual([...openai, 'top_k', 'min_p', 'repeat_penalty'].sort());
    expect(await keys('ollama-v1')).toEqual(openai);
    expect(await keys('tgi')).toEqual(openai);
    expect(await keys('openai')).toEqual(openai);
    expect(await keys('deepseek')).toEqual(openai.filter((key) => key !== 'seed'));
    // It answers 422 to any other.
    expect(await keys('transformers')).toEqual(more('top_p', 'seed'));
    const { body, path } = await sent('ollama', all);
    expect(path).toBe('/api/chat');
    expect(Object.keys(body).sort()).toEqual([
      'logprobs',
      'messages',
      'model',
      'options',
      'stream',
      'think',
      'top_logprobs',
    ]);
    expect(body.options).toEqual({
      temperature: 0.6,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.05,
      repeat_penalty: 1.1,
      seed: 1,
      num_predict: 100,
    });
  });

  it('says what is left out, only if it would have changed something', async () => {
    expect((await sent('transformers', all)).notice).toContain(
      'does not support these settings, so they were left out: top-k, min-p, repetition penalty',
    );
    expect((await sent('transformers')).notice).toBeUndefined();
  });

  it('has headers that CORS settings know, and no key without one', async () => {
    const { headers, path } = await sent('vllm');
    expect(path).toBe('/v1/chat/completions');
    expect(headers['content-type']).toBe('application/json');
    expect(headers.authorization).toBeUndefined();
    expect(headers.cookie).toBeUndefined();
    expect(Object.keys(headers).some((name) => name.startsWith('x-'))).toBe(false);
  });

  it('goes on with an answer where the server can', async () => {
    const prefix = '<think>\nTwo and';
    const vllm = await sent('vllm', { prefix });
    expect(vllm.body).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
    expect((vllm.body.messages as unknown[]).at(-1)).toEqual({ role: 'assistant', content: prefix });
    expect((await sent('ollama', { prefix })).body.messages).toHaveLength(2);
    const server = await serve(stream('tgi', [STREAMS.tgi.body]));
    expect((await ask(server, { kind: 'tgi', request: { prefix } })).error).toMatchObject({ code: 'unsupported' });
    expect(server.asked).toEqual([]);
  });

  it('goes on inside the thoughts, without opening them again', async () => {
    const server = await serve(stream('vllm', [STREAMS.vllm.body]));
    const { text } = await ask(server, { request: { prefix: '<think>\nTwo and' } });
    expect(`<think>\n${text}`).toBe(STREAMS.vllm.text);
  });

  it('is sent again without what an older server or a model refuses', async () => {
    const server = await serve(({ body }) =>
      body.includes('"think"')
        ? { status: 400, body: ['{"error":"\\"m\\" does not support thinking"}'] }
        : stream('ollama', [STREAMS.ollama.body]),
    );
    expect((await ask(server, { kind: 'ollama' })).error).toBeNull();
    expect(server.asked).toHaveLength(2);
    const stubborn = await serve({ status: 422, body: ['{"detail":"Unexpected fields: {\'seed\'}"}'] });
    expect((await ask(stubborn)).error).toMatchObject({ code: 'request' });
    expect(stubborn.asked).toHaveLength(2);
  });
});

describe('log-probabilities', () => {
  const entry = (token: string, logprob: number) => ({
    token,
    logprob,
    bytes: null,
    top_logprobs: [
      { token: 'z', logprob: -3 },
      { token, logprob },
    ],
  });
  const body = (delta: object, tokens: object[]) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta, logprobs: { content: tokens } }] })}\n\n`;
  const end = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\ndata: [DONE]\n\n';

  it('come with their tokens, the likeliest alternative first', async () => {
    const events = [
      body({ content: 'ab' }, [entry('a', -0.1), entry('b', -0.2)]),
      body({ content: 'c' }, [entry('c', -0.3)]),
      end,
    ];
    const { tokens } = await ask(await serve(stream('vllm', events)), { request: { top_logprobs: 2 } });
    expect(tokens.map(({ text, logprob }) => [text, logprob])).toEqual([
      ['a', -0.1],
      ['b', -0.2],
      ['c', -0.3],
      ['', undefined],
    ]);
    expect(tokens[0]!.top).toEqual([
      { text: 'a', logprob: -0.1 },
      { text: 'z', logprob: -3 },
    ]);
    expect(tokens.at(-1)!.finish).toBe('length');
  });

  it('are left out where they are not those of the text, which counts', async () => {
    const events = [
      body({ content: 'ab' }, [entry('x', -1), entry('y', -1)]),
      body({ reasoning: 'q' }, [{ token: 5 }]),
      end,
    ];
    const { text, error } = await ask(await serve(stream('vllm', events)));
    expect(error).toBeNull();
    expect(text).toBe('ab<think>\nq');
  });
});

describe('hostile answers', () => {
  it('bring only text: no keys of objects, no markup that is more than text', async () => {
    const events = [
      'data: {"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"choices":[{"delta":{"content":"<script>x</script>","__proto__":{"polluted":1}}}]}\n\n',
      'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":-5,"completion_tokens":"x","__proto__":{"a":1}}}\n\n',
    ];
    const { text, tokens, error } = await ask(await serve(stream('vllm', events)));
    expect(error).toBeNull();
    expect(text).toBe('<script>x</script>');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(tokens.at(-1)!.server).toBeUndefined();
  });

  it('that are not text are no answers', async () => {
    for (const content of ['5', '{"toString":"x"}', '[5]', 'true']) {
      const event = `data: {"choices":[{"delta":{"content":${content}}}]}\n\n`;
      expect((await ask(await serve(stream('vllm', [event])))).error).toMatchObject({ code: 'protocol' });
    }
    const deep = `data: ${'['.repeat(400_000)}\n\n`;
    expect((await ask(await serve(stream('vllm', [deep])))).error).toMatchObject({ code: 'protocol' });
  });

  it('that came all at once, without a stream, are read too', async () => {
    const whole = { choices: [{ index: 0, message: { content: 'All of it.' }, finish_reason: 'stop' }] };
    const { text, tokens } = await ask(await serve({ body: [JSON.stringify(whole)] }));
    expect(text).toBe('All of it.');
    expect(tokens.at(-1)!.finish).toBe('stop');
    const half = { choices: [{ index: 0, message: { content: 'Half of' }, finish_reason: null }] };
    expect((await ask(await serve({ body: [JSON.stringify(half)] }))).error).toMatchObject({ code: 'truncated' });
    expect((await ask(await serve({ body: ['{"error":{"message":"no"}}'] }))).error).toMatchObject({ code: 'server' });
  });
});

describe('which server it is', () => {
  const json = (value: unknown): Script => ({ body: [JSON.stringify(value)] });
  const list = (owned_by: string, more: object = {}) =>
    json({ object: 'list', data: [{ id: 'm', owned_by, ...more }] });
  const detected = async (paths: Record<string, Script>, key?: string) => {
    const server = await serve(({ path }) => paths[path]);
    const { server: found, models } = await detectServer(server.url, key);
    // What was found can be listed again.
    expect(await listModels(found as RemoteServer)).toEqual(models);
    return { kind: found.kind, models, asked: server.asked };
  };

  it('is found by a few questions', async () => {
    expect(await detected({ '/v1/models': list('vllm', { max_model_len: 4096 }) })).toMatchObject({
      kind: 'vllm',
      models: [{ id: 'm', context: 4096 }],
    });
    expect(await detected({ '/v1/models': list('sglang', { max_model_len: 8 }) })).toMatchObject({ kind: 'sglang' });
    expect(await detected({ '/v1/models': list('llamacpp', { meta: { n_ctx_train: 99 } }) })).toMatchObject({
      kind: 'llamacpp',
      models: [{ id: 'm', context: 99 }],
    });
    const tags = {
      models: [{ name: 'deepseek-r1:7b', details: { parameter_size: '7.6B', quantization_level: 'Q4_K_M' } }],
    };
    expect(
      await detected({
        '/v1/models': list('library'),
        '/api/version': json({ version: '0.12' }),
        '/api/tags': json(tags),
      }),
    ).toMatchObject({ kind: 'ollama', models: [{ id: 'deepseek-r1:7b', detail: '7.6B, Q4_K_M' }] });
    const info = json({ model_id: 'x/y', max_total_tokens: 2048, version: '3' });
    expect(await detected({ '/v1/models': list('x/y'), '/info': info })).toMatchObject({
      kind: 'tgi',
      models: [{ id: 'x/y', context: 2048 }],
    });
    expect(await detected({ '/info': info })).toMatchObject({ kind: 'tgi' });
    expect(
      await detected({ '/v1/models': list('me'), '/openapi.json': json({ paths: { '/load_model': {} } }) }),
    ).toMatchObject({ kind: 'transformers' });
    expect(await detected({ '/v1/models': list('me') })).toMatchObject({ kind: 'openai' });
    expect(await detected({ '/models': list('me') })).toMatchObject({ kind: 'openai' });
  });

  it('gets the key, and is not found without', async () => {
    const closed = await serve(({ headers }) =>
      headers.authorization === `Bearer ${SECRET}` ? list('vllm') : { status: 401, body: ['{"error":"Unauthorized"}'] },
    );
    await expect(detectServer(closed.url)).rejects.toMatchObject({ code: 'auth' });
    expect((await detectServer(`${closed.url}/v1/`, SECRET)).server).toMatchObject({ kind: 'vllm', url: closed.url });
  });

  it('is none where there is none', async () => {
    await expect(detectServer((await serve(() => undefined)).url)).rejects.toMatchObject({ code: 'path' });
    const page = { headers: { 'Content-Type': 'text/html' }, body: ['<html></html>'] };
    await expect(detectServer((await serve(page)).url)).rejects.toMatchObject({ code: 'html' });
    const gone = await startFaultServer(() => undefined);
    await gone.close();
    await expect(detectServer(gone.url)).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('an address', () => {
  it('is taken as people copy it', () => {
    expect(serverUrl(' http://localhost:8000/v1/chat/completions ')).toBe('http://localhost:8000');
    expect(serverUrl('localhost:11434/api/chat')).toBe('http://localhost:11434');
    expect(serverUrl('api.deepseek.com')).toBe('https://api.deepseek.com');
    expect(serverUrl('https://openrouter.ai/api/v1/')).toBe('https://openrouter.ai/api');
  });

  it('is refused where it could not be asked, or holds a secret', () => {
    for (const text of ['', 'http://', 'ftp://x', 'javascript://x', 'http://a:b@x', 'http://x/?key=1']) {
      expect(() => serverUrl(text)).toThrow(RemoteError);
    }
  });
});

describe('a key', () => {
  it('goes to its origin and nowhere else', () => {
    const key = new ServerKey('https://a.test/v1', ` ${SECRET}\n`);
    expect(key.headersFor('https://a.test/x')).toEqual({ Authorization: `Bearer ${SECRET}` });
    for (const other of ['https://b.test/', 'http://a.test/', 'https://a.test:8443/', 'https://a.test.evil.test/']) {
      expect(key.headersFor(other)).toEqual({});
    }
  });

  it('is never printed', async () => {
    const key = new ServerKey('https://a.test', SECRET);
    const { inspect } = await import('node:util');
    const server = { kind: 'vllm', key };
    for (const text of [
      String(key),
      JSON.stringify(server),
      inspect(server, { depth: 9, showHidden: true }),
      `${key}`,
    ]) {
      expect(text).not.toContain(SECRET);
    }
    expect(JSON.stringify(structuredClone(Object.assign({}, { key: { ...key } })))).not.toContain(SECRET);
  });

  it('that can’t be sent is refused without being repeated', () => {
    try {
      new ServerKey('https://a.test', `${SECRET}\n☃`);
      expect.unreachable();
    } catch (error) {
      expect(String((error as Error).stack)).not.toContain(SECRET);
    }
  });
});
