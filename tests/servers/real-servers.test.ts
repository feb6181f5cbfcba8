/**
 * @file The adapters against real servers with tiny random models: `transformers serve` (tests/goldens/requirements.txt),
 * llama.cpp's own server ($LLAMA_SERVER or `llama-server`), and llama-cpp-python's. What isn't here is skipped.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectServer } from '../../src/servers/detect';
import { ServerKey } from '../../src/servers/key';
import { ServerChatModel } from '../../src/servers/chat/server-chat-model';
import type { RemoteServer } from '../../src/servers/server';
import type { GenerateRequest, ChatToken } from '../../src/runs/chat-model';
import {
  llamaServer,
  pythonHas,
  startLlamaCppPython,
  startLlamaServer,
  startTransformers,
  type ModelServer,
} from '../support/model-servers';

const REQUEST: GenerateRequest = {
  messages: [{ role: 'user', content: 'Hello' }],
  max_tokens: 12,
  temperature: 0.8,
  top_k: 0,
  top_p: 1,
  seed: 5,
};

async function answer(policy: ServerChatModel, request: Partial<GenerateRequest> = {}): Promise<ChatToken[]> {
  const tokens: ChatToken[] = [];
  for await (const token of policy.generate({ ...REQUEST, ...request }, new AbortController().signal))
    tokens.push(token);
  return tokens;
}
const textOf = (tokens: ChatToken[]) => tokens.map(({ text }) => text).join('');

/** Reads three tokens of a long answer and leaves. */
async function leave(policy: ServerChatModel): Promise<void> {
  const abort = new AbortController();
  let count = 0;
  for await (const token of policy.generate({ ...REQUEST, max_tokens: 400 }, abort.signal)) {
    expect(token.finish).toBeUndefined();
    if (++count === 3) abort.abort();
  }
  expect(count).toBe(3);
}

const modules = ['torch', 'transformers', 'fastapi', 'uvicorn', 'openai'];
const transformers = pythonHas(...modules);
const program = llamaServer();
const llamaCppPython = pythonHas('llama_cpp', 'fastapi', 'sse_starlette', 'starlette_context', 'pydantic_settings');

describe.skipIf(!transformers)(
  `transformers serve${transformers ? '' : ` (no Python with ${modules.join(', ')})`}`,
  () => {
    let server: ModelServer;
    let found: RemoteServer;
    let policy: ServerChatModel;
    beforeAll(async () => {
      server = await startTransformers('qwen3');
      // Over an empty cache it has no list of models.
      found = (await detectServer(server.url)).server as RemoteServer;
      policy = new ServerChatModel(found, { id: server.model });
    }, 120_000);
    afterAll(() => server?.close());

    it('is known, and answers to the end', { timeout: 60_000 }, async () => {
      expect(found.kind).toBe('transformers');
      const tokens = await answer(policy);
      expect(tokens.at(-1)).toMatchObject({ finish: 'length', server: { completion_tokens: 12 } });
      expect(textOf(tokens)).not.toBe('');
    });

    it('takes every setting that it is sent, and the seed counts', { timeout: 60_000 }, async () => {
      const all = { top_k: 5, top_p: 0.9, min_p: 0.1, repetition_penalty: 1.2, top_logprobs: 3 };
      const first = textOf(await answer(policy, all));
      expect(textOf(await answer(policy, all))).toBe(first);
      expect(textOf(await answer(policy, { ...all, seed: 6 }))).not.toBe(first);
    });

    it('says which model it has when asked for another', { timeout: 60_000 }, async () => {
      await expect(answer(new ServerChatModel(found, { id: 'other/model' }))).rejects.toMatchObject({
        name: 'RemoteError',
        message: expect.stringContaining(server.model) as string,
      });
    });

    it('goes on serving after an answer was left', { timeout: 60_000 }, async () => {
      await leave(policy);
      expect((await answer(policy)).at(-1)!.finish).toBe('length');
    });
  },
);

describe.skipIf(!program)(
  `llama.cpp's server${program ? '' : ' (no llama-server on the path or in $LLAMA_SERVER)'}`,
  () => {
    const KEY = 'a-key-of-this-test';
    let server: ModelServer;
    let found: RemoteServer;
    let policy: ServerChatModel;
    beforeAll(async () => {
      server = await startLlamaServer(program!, 'qwen2-f16.gguf', KEY);
      const detected = await detectServer(server.url, KEY);
      found = detected.server as RemoteServer;
      policy = new ServerChatModel(found, detected.models[0]!);
    }, 120_000);
    afterAll(() => server?.close());

    it('is known, with its context', async () => {
      expect(found.kind).toBe('llamacpp');
      expect((await answer(policy)).at(-1)!.context).toMatchObject({ length: 512 });
    });

    it('asks for its key', async () => {
      await expect(detectServer(server.url)).rejects.toMatchObject({ code: 'auth' });
      const wrong = { ...found, key: new ServerKey(server.url, 'another-key') };
      await expect(answer(new ServerChatModel(wrong, { id: server.model }))).rejects.toMatchObject({ code: 'auth' });
    });

    it('gives log-probabilities, usage and its own times', async () => {
      const tokens = await answer(policy, { top_logprobs: 3, top_k: 20, min_p: 0.01, repetition_penalty: 1.1 });
      const written = tokens.filter(({ logprob }) => logprob !== undefined);
      expect(written.length).toBeGreaterThan(0);
      for (const { logprob, top } of written) {
        expect(logprob).toBeLessThanOrEqual(0);
        expect(top).toHaveLength(3);
        expect(top![0]!.logprob).toBeGreaterThanOrEqual(top![2]!.logprob);
      }
      const { finish, server: report } = tokens.at(-1)!;
      expect(finish).toBe('length');
      expect(report!.completion_tokens).toBe(12);
      expect(report!.completion_ms).toBeGreaterThan(0);
    });

    it('is free again as soon as an answer is left', async () => {
      await leave(policy);
      const busy = async () => {
        const slots = await fetch(`${server.url}/slots`, { headers: { Authorization: `Bearer ${KEY}` } });
        return ((await slots.json()) as { is_processing: boolean }[]).some(({ is_processing }) => is_processing);
      };
      await expect.poll(busy, { timeout: 2000 }).toBe(false);
    });

    it('says when a conversation is too long', async () => {
      const messages: GenerateRequest['messages'] = [{ role: 'user', content: 'x '.repeat(2000) }];
      await expect(answer(policy, { messages })).rejects.toMatchObject({ code: 'request' });
    });
  },
);

describe.skipIf(!llamaCppPython)(
  `llama-cpp-python's server${llamaCppPython ? '' : ' (no Python with llama_cpp.server)'}`,
  () => {
    let server: ModelServer;
    beforeAll(async () => {
      server = await startLlamaCppPython('qwen2-f16.gguf');
    }, 120_000);
    afterAll(() => server?.close());

    it('is taken as OpenAI-compatible and answers to the end', { timeout: 60_000 }, async () => {
      const { server: found, models } = await detectServer(server.url);
      expect(found.kind).toBe('openai');
      const tokens = await answer(new ServerChatModel(found as RemoteServer, models[0]!));
      expect(tokens.at(-1)!.finish).toMatch(/stop|length/);
      expect(textOf(tokens)).not.toBe('');
    });
  },
);
