/** @file The streams of every kind of server, cut into pieces anywhere and broken off anywhere. */
import { describe, expect, it } from 'vitest';
import type { GenerateRequest, ChatToken } from '../../src/runs/chat-model';
import { RemoteError } from '../../src/servers/errors';
import { ServerChatModel } from '../../src/servers/chat/server-chat-model';
import { SERVER_KINDS, type ServerKind } from '../../src/servers/kinds';
import { rng } from '../../src/base/rng';
import { fetchOf } from '../support/fault-server';
import { ANSWER, STREAMS, THOUGHT } from '../support/server-streams';

const REQUEST: GenerateRequest = {
  messages: [{ role: 'user', content: '2+2?' }],
  max_tokens: 100,
  temperature: 0.6,
  top_k: 0,
  top_p: 0.95,
  seed: 1,
};

interface Outcome {
  text: string;
  tokens: ChatToken[];
  error: unknown;
}

async function answer(
  kind: ServerKind,
  pieces: readonly Uint8Array[],
  contentType = STREAMS[kind].contentType,
): Promise<Outcome> {
  const server = { kind, url: 'http://server.test', label: 'server.test' };
  const policy = new ServerChatModel(server, { id: 'm' }, { fetch: fetchOf(pieces, contentType) });
  const tokens: ChatToken[] = [];
  try {
    for await (const token of policy.generate(REQUEST, new AbortController().signal)) tokens.push(token);
    return { text: tokens.map(({ text }) => text).join(''), tokens, error: null };
  } catch (error) {
    return { text: tokens.map(({ text }) => text).join(''), tokens, error };
  }
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Cuts that many times, anywhere. */
function cutAnywhere(bytes: Uint8Array, times: number, seed: number): Uint8Array[] {
  const random = rng(seed, times);
  const cuts = Array.from({ length: times }, () => random.int(0, bytes.length)).sort((a, b) => a - b);
  return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length));
}

describe.each(SERVER_KINDS)('%s', (kind) => {
  const stream = STREAMS[kind];
  const bytes = bytesOf(stream.body);

  it('is read as a whole: thoughts, answer, usage and timings', async () => {
    const { text, tokens, error } = await answer(kind, [bytes]);
    expect(error).toBeNull();
    expect(text).toBe(stream.text);
    const last = tokens.at(-1)!;
    expect(last.finish).toBe('stop');
    expect(last.server).toMatchObject({ prompt_tokens: 11, completion_tokens: 22 });
    expect(tokens.filter(({ finish }) => finish)).toHaveLength(1);
  });

  it('gives the same in two pieces, cut at every byte', async () => {
    for (let at = 0; at <= bytes.length; at++) {
      const { text, error } = await answer(kind, [bytes.subarray(0, at), bytes.subarray(at)]);
      if (error || text !== stream.text) throw new Error(`cut at ${at}: ${String(error)} ${text}`);
    }
  }, 20_000);

  it('gives the same byte by byte', async () => {
    const { text, error } = await answer(
      kind,
      Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
    );
    expect(error).toBeNull();
    expect(text).toBe(stream.text);
  });

  it('gives the same in any pieces', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const { text, error } = await answer(kind, cutAnywhere(bytes, 1 + (seed % 40), seed));
      if (error || text !== stream.text) throw new Error(`seed ${seed}: ${String(error)} ${text}`);
    }
  });

  it('is never a success when it breaks off before its end, at any byte', async () => {
    // From here on the event that ends the answer is whole; JSON is so without its line end too.
    const end = bytesOf(stream.events.slice(0, stream.finish + 1).join('')).length - (kind === 'ollama' ? 1 : 0);
    // Of an empty line that ends an event, `\r` is enough.
    const slack = kind === 'transformers' ? 1 : 0;
    for (let at = 0; at < bytes.length; at++) {
      const { text, error, tokens } = await answer(kind, [bytes.subarray(0, at)]);
      const isWhole = error === null;
      const mayBeWhole = at >= end - slack;
      if (isWhole ? !mayBeWhole : !(error instanceof RemoteError && error.code === 'truncated')) {
        throw new Error(`cut at ${at} of ${end}: ${String(error)}`);
      }
      if (at >= end && !isWhole) throw new Error(`cut at ${at}, after the end: ${String(error)}`);
      if (isWhole !== tokens.some(({ finish }) => finish)) throw new Error(`cut at ${at}: a finish without an end`);
      if (!stream.text.startsWith(text)) throw new Error(`cut at ${at}: ${text}`);
    }
  });

  it('ends in an error, and nothing else, when bytes are damaged', async () => {
    const random = rng(7, 0);
    for (let i = 0; i < 150; i++) {
      const damaged = Uint8Array.from(bytes);
      for (let n = 0; n < 3; n++) damaged[random.int(0, bytes.length - 1)] = random.int(0, 255);
      const { error } = await answer(kind, cutAnywhere(damaged, 3, i));
      if (error && !(error instanceof RemoteError)) throw error;
    }
  });

  it('ends in an error when there are only random bytes', async () => {
    const random = rng(8, 0);
    for (let i = 0; i < 20; i++) {
      const noise = Uint8Array.from({ length: 200 }, () => random.int(0, 255));
      const { error, tokens } = await answer(kind, [noise]);
      expect(error).toBeInstanceOf(RemoteError);
      expect(tokens).toEqual([]);
    }
  });

  it('takes a web page for what it is', async () => {
    const page = bytesOf('<!doctype html><html><body>Log in</body></html>');
    expect((await answer(kind, [page], 'text/html; charset=utf-8')).error).toMatchObject({ code: 'html' });
  });

  it('refuses an event without an end', async () => {
    const flood = Array.from({ length: 40 }, () => bytesOf('x'.repeat(40_000)));
    const start = bytesOf(kind === 'ollama' ? '{"message":{"content":"' : 'data: {"choices":[{"delta":{"content":"');
    expect((await answer(kind, [start, ...flood])).error).toMatchObject({ code: 'protocol' });
    // And one that comes at once.
    const whole = bytesOf(`data: {"choices":[],"x":"${'x'.repeat(1_100_000)}"}\n\n`);
    if (kind !== 'ollama') expect((await answer(kind, [whole])).error).toMatchObject({ code: 'protocol' });
  });
});

describe('what servers report', () => {
  const report = async (kind: ServerKind) => (await answer(kind, [bytesOf(STREAMS[kind].body)])).tokens.at(-1)!.server;

  it('is told in one way', async () => {
    expect(await report('sglang')).toEqual({ prompt_tokens: 11, completion_tokens: 22, reasoning_tokens: 9 });
    expect(await report('llamacpp')).toEqual({
      prompt_tokens: 11,
      completion_tokens: 22,
      cached_tokens: 3,
      prompt_ms: 12.5,
      completion_ms: 410,
    });
    expect(await report('ollama')).toEqual({
      prompt_tokens: 11,
      completion_tokens: 22,
      load_ms: 1000,
      prompt_ms: 250,
      completion_ms: 2000,
    });
    expect(await report('deepseek')).toEqual({
      prompt_tokens: 11,
      completion_tokens: 22,
      cached_tokens: 4,
      reasoning_tokens: 9,
    });
  });
});

describe('thoughts inside the text', () => {
  const tgi = (texts: string[], model: string) => {
    const body = texts.map((content) => `data:${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
    const end = 'data:{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata:[DONE]\n\n';
    const options = { fetch: fetchOf([bytesOf(body.join('') + end)], 'text/event-stream') };
    const policy = new ServerChatModel({ kind: 'tgi', url: 'http://server.test', label: 's' }, { id: model }, options);
    return (async () => {
      let text = '';
      for await (const token of policy.generate(REQUEST, new AbortController().signal)) text += token.text;
      return text;
    })();
  };

  it('get the opening tag that R1’s template keeps for itself', async () => {
    const model = 'deepseek-ai/DeepSeek-R1-Distill-Qwen-7B';
    expect(await tgi([`${THOUGHT}</think>`, ANSWER], model)).toBe(`<think>\n${THOUGHT}</think>${ANSWER}`);
  });

  it('keep the one that is there, in whatever pieces', async () => {
    const model = 'deepseek-ai/DeepSeek-R1-Distill-Qwen-7B';
    expect(await tgi(['\n', '<th', 'ink>', 'a</think>b'], model)).toBe('\n<think>a</think>b');
  });

  it('are left alone for other models', async () => {
    expect(await tgi(['Hello'], 'Qwen/Qwen2.5-7B-Instruct')).toBe('Hello');
  });
});
