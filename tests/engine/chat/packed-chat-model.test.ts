/** @file A large model as a ChatModel, on a small random R1-like checkpoint: thoughts, going on, long conversations, stopping. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFiles } from '../../../src/cli/model-files';
import { memoryFile } from '../../../src/formats/files/memory-files';
import { t } from '../../../src/i18n';
import { openModel } from '../../../src/formats/open-model';
import { PackedChatModel } from '../../../src/engine/chat/packed-chat-model';
import type { GenerateRequest, ChatToken } from '../../../src/runs/chat-model';
import { openTestGpu } from '../../support/gpu';

const folder = new URL('../../goldens/checkpoints/r1-qwen2', import.meta.url).pathname;
const CONTEXT = 128;
const encode = (text: string) => new TextEncoder().encode(text);

let policy: PackedChatModel;
const progress: number[] = [];
beforeAll(async () => {
  const opened = await openModel(await modelFiles(folder));
  // A random model draws its end-of-sequence token now and then; these tests are about the rest.
  opened.config.eos_token_ids = [];
  policy = await PackedChatModel.load(await openTestGpu(), opened, { context: CONTEXT }, ({ bytes, total }) =>
    progress.push(bytes / total),
  );
});
afterAll(() => policy.close());

const ask = (text: string): GenerateRequest => ({
  messages: [{ role: 'user', content: text }],
  max_tokens: 12,
  temperature: 0,
  top_k: 0,
  top_p: 1,
  seed: 0,
});

async function answer(request: GenerateRequest, stopAfter = Infinity): Promise<ChatToken[]> {
  const abort = new AbortController();
  const tokens: ChatToken[] = [];
  for await (const token of policy.generate(request, abort.signal)) {
    tokens.push(token);
    if (tokens.length === stopAfter) abort.abort();
  }
  return tokens;
}
const text = (tokens: ChatToken[]) => tokens.map((token) => token.text).join('');

describe('PackedChatModel', () => {
  it('tells how far loading is, up to the end', () => {
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it('begins with the thoughts that the template opened, and ends at the limit', async () => {
    const tokens = await answer(ask('What is 2 + 3?'));
    expect(tokens[0]!.text).toMatch(/^<think>\n/);
    expect(tokens[0]!.context).toMatchObject({ cached: 0, length: CONTEXT });
    expect(tokens.filter(({ id }) => id !== undefined)).toHaveLength(12);
    expect(tokens.at(-1)!.finish).toBe('length');
    expect(tokens.slice(0, -1).every(({ finish }) => finish === undefined)).toBe(true);
  });

  it('goes on with a stopped answer as if it had not been stopped', async () => {
    const whole = text(await answer(ask('Go on.')));
    const part = await answer(ask('Go on.'), 5);
    expect(part).toHaveLength(5);
    const rest = await answer({ ...ask('Go on.'), max_tokens: 7, prefix: text(part) });
    expect(text(part) + text(rest)).toBe(whole);
    expect(rest[0]!.context!.cached).toBe(rest[0]!.context!.prompt - 1);
  });

  it('reports the likeliest tokens when asked', async () => {
    const tokens = await answer({ ...ask('Which?'), top_logprobs: 3 });
    for (const { id, top } of tokens.filter((token) => token.id !== undefined)) {
      expect(top!).toHaveLength(3);
      expect(top![0]!.id).toBe(id);
    }
  });

  it('leaves out the oldest turns of a conversation that is too long, and says so', async () => {
    const turn = (i: number) => [
      { role: 'user' as const, content: `Question ${i}: ${'word '.repeat(8)}` },
      { role: 'assistant' as const, content: `Answer ${i}` },
    ];
    const messages = [...[1, 2, 3, 4].flatMap(turn), { role: 'user' as const, content: 'Last question' }];
    const tokens = await answer({ ...ask(''), messages });
    expect(tokens[0]!.notice).toMatch(/longer than the context of 128 tokens: its \d oldest messages were left out/);
    expect(tokens.filter(({ id }) => id !== undefined)).toHaveLength(12);
  });

  it('says what is unusual about the model with its first answer, and about a conversation with each', async () => {
    const opened = await openModel(await modelFiles(folder));
    const template = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
    const files = { ...(await modelFiles(folder)) };
    const inner = files.open;
    files.open = async (path) => (path === 'chat_template.jinja' ? memoryFile(path, encode(template)) : inner(path));
    const model = { ...(await openModel(files)), config: { ...opened.config, eos_token_ids: [] } };
    const deaf = await PackedChatModel.load(await openTestGpu(), model, { context: CONTEXT });
    const first = async (messages: GenerateRequest['messages']) => {
      const request = { ...ask(''), max_tokens: 1, messages };
      for await (const { notice } of deaf.generate(request, new AbortController().signal)) return notice ?? '';
      return '';
    };
    const question = { role: 'user' as const, content: 'Hi' };
    const brief = [{ role: 'system' as const, content: 'Be brief.' }, question];
    const notice = t('models:notices.noSystem');
    expect(model.notices).toEqual([notice]);
    expect([await first([question]), await first([question]), await first(brief)]).toEqual([notice, '', notice]);
    deaf.close();
  });

  it('refuses one message that is too long, with the numbers', async () => {
    await expect(answer(ask('word '.repeat(200)))).rejects.toThrow(/The message has \d+ tokens.*128/);
  });

  it('says what a model needs that does not fit', async () => {
    const opened = await openModel(await modelFiles(folder));
    opened.config.max_position_embeddings = 2 ** 31;
    const gpu = await openTestGpu();
    const opening = PackedChatModel.load(gpu, opened, { context: 2 ** 28 });
    await expect(opening).rejects.toThrow(/needs \d+ MB of GPU memory .*a context of 268435456 tokens \d+ MB.*choose/);
    gpu.destroy();
  });

  it('says when the answer runs past the context', async () => {
    const tokens = await answer({ ...ask('Never stop.'), max_tokens: 140 });
    const notices = tokens.filter(({ notice }) => notice !== undefined);
    expect(notices).toHaveLength(1);
    expect(notices[0]!.notice).toMatch(/context of 128 tokens is full/);
    expect(tokens.filter(({ id }) => id !== undefined)).toHaveLength(140);
  });
});
