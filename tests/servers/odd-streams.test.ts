/** @file Streams that bend the protocol, as proxies and less common servers send them. No text that arrived may be lost. */
import { describe, expect, it } from 'vitest';
import type { ChatToken } from '../../src/runs/chat-model';
import { ServerChatModel } from '../../src/servers/chat/server-chat-model';
import type { ServerKind } from '../../src/servers/kinds';
import { fetchOf } from '../support/fault-server';

interface Result {
  text: string;
  finish: ChatToken['finish'];
  notice: string;
  error: string | null;
}

async function read(body: string, kind: ServerKind = 'openai', contentType = 'text/event-stream'): Promise<Result> {
  const bytes = new TextEncoder().encode(body);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 37) }, (_, i) => bytes.slice(i * 37, i * 37 + 37));
  const server = { kind, url: 'http://s.test', label: 's.test' };
  const model = new ServerChatModel(server, { id: 'm' }, { fetch: fetchOf(pieces, contentType) });
  const request = {
    messages: [{ role: 'user' as const, content: '2+2?' }],
    max_tokens: 100,
    temperature: 0.6,
    top_k: 0,
    top_p: 0.95,
    seed: 1,
  };
  const result: Result = { text: '', finish: undefined, notice: '', error: null };
  try {
    for await (const token of model.generate(request, new AbortController().signal)) {
      result.text += token.text;
      result.finish = token.finish ?? result.finish;
      result.notice += token.notice ?? '';
    }
  } catch (error) {
    result.error = (error as { code?: string }).code ?? String(error);
  }
  return result;
}

const sse = (...frames: (object | string | null)[]): string =>
  frames.map((frame) => `data: ${typeof frame === 'string' ? frame : JSON.stringify(frame)}\n\n`).join('');
const delta = (fields: object, finish_reason: unknown = null, more: object = {}): object => ({
  choices: [{ index: 0, delta: fields, finish_reason }],
  ...more,
});
const DONE = '[DONE]';
const END = [delta({}, 'stop'), DONE] as const;
const FOUR = { text: 'It is 4.', finish: 'stop', error: null };

describe('content as a list of parts', () => {
  const thinking = (text: string) => ({ type: 'thinking', thinking: [{ type: 'text', text }] });

  it('gives thinking as reasoning and text as text', async () => {
    const body = sse(
      delta({ role: 'assistant', content: '' }),
      delta({ content: [thinking('Two and ')] }),
      delta({ content: [thinking('two.')] }),
      delta({ content: [{ type: 'text', text: 'It is ' }] }),
      delta({ content: '4.' }),
      ...END,
    );
    expect(await read(body)).toMatchObject({ ...FOUR, text: '<think>\nTwo and two.\n</think>\n\nIt is 4.' });
  });

  it('is read without a stream too', async () => {
    const message = { content: [thinking('Two.'), { type: 'text', text: 'It is 4.' }] };
    const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop' }] }, null, 2);
    expect(await read(body, 'openai', 'application/json')).toMatchObject({
      ...FOUR,
      text: '<think>\nTwo.\n</think>\n\nIt is 4.',
    });
  });

  it('may hold plain strings and texts of unknown types', async () => {
    const content = ['It ', { type: 'output_text', text: 'is ' }, { type: 'novel', text: '4' }, null, { text: '.' }];
    expect(await read(sse(delta({ content }), ...END))).toMatchObject(FOUR);
  });

  it('tells the reader about parts that are no text', async () => {
    const content = [
      { type: 'text', text: 'It is 4.' },
      { type: 'image_url', image_url: { url: 'x' } },
    ];
    const result = await read(sse(delta({ content }), ...END));
    expect(result).toMatchObject(FOUR);
    expect(result.notice).toContain('image_url');
  });
});

describe('frames without text', () => {
  it.each<[string, string]>([
    ['null', 'data: null\n\n'],
    ['a ping', 'event: ping\ndata: {"type":"ping"}\n\n'],
    ['an empty object', 'data: {}\n\n'],
    ['empty data', 'event: keepalive\ndata:\n\n'],
    ['metadata', sse({ id: 'x', object: 'chat.completion.chunk', model: 'm' })],
    ['a cost', sse({ cost: '0.001' })],
    ['no choices', sse({ choices: [] })],
    ['choices that are null', sse({ choices: null })],
    ['a choice that is null', sse({ choices: [null] })],
    ['a status with a message', sse({ object: 'status', message: 'queued' })],
    ['a number', 'data: 1\n\n'],
    ['a comment', ': ping\n\n'],
    ['an error that is null', sse({ error: null })],
    ['an error that is false', sse(delta({}, null, { error: false }))],
    ['an error that is an empty text', sse(delta({ content: '' }, null, { error: '' }))],
    ['an error without words', sse(delta({}, null, { error: { message: '', code: null } }))],
  ])('%s is only a sign of life', async (_name, frame) => {
    const words = [sse(delta({ content: 'It ' })), sse(delta({ content: 'is ' })), sse(delta({ content: '4.' }))];
    const body = frame + words.join(frame) + frame + sse(delta({}, 'stop')) + frame + sse(DONE);
    expect(await read(body)).toMatchObject(FOUR);
  });

  it('that carry an answer in another protocol are no sign of life', async () => {
    for (const frame of [{ content: 'It is 4.' }, { message: { content: 'It is 4.' } }, { token: { text: '4' } }]) {
      expect((await read(sse(frame))).error).toBe('protocol');
    }
  });

  it('that are real errors end the answer, after the text beside them', async () => {
    for (const error of ['out of memory', { message: 'out of memory' }, { code: 500, reason: 'out of memory' }, true]) {
      const result = await read(sse(delta({ content: 'It is' }, null, { error })));
      expect(result).toMatchObject({ text: 'It is', error: 'server' });
    }
  });
});

describe('the end of an answer', () => {
  it.each<[string, object[]]>([
    ['early', [delta({ role: 'assistant' }, 'stop'), delta({ content: 'It is ' }), delta({ content: '4.' })]],
    ['with every frame', ['It ', 'is ', '4.'].map((content) => delta({ content }, 'stop'))],
    ['as a number', [delta({ content: 'It is 4.' }), delta({}, 1)]],
    ['as true', [delta({ content: 'It is 4.' }, true)]],
    ['as an object', [delta({ content: 'It is 4.' }, { type: 'stop' })]],
    ['as false and an empty text, which are none', [delta({ content: 'It is' }, false), delta({ content: ' 4.' }, '')]],
    ['not at all', [delta({ content: 'It is 4.' })]],
    ['in capitals', [delta({ content: 'It is 4.' }, 'STOP')]],
  ])('may be given %s', async (_name, frames) => {
    expect(await read(sse(...frames, DONE))).toMatchObject(FOUR);
  });

  it('is a limit of tokens under several names', async () => {
    for (const reason of ['length', 'max_tokens', 'MAX_TOKENS', 'model_length']) {
      expect(await read(sse(delta({ content: 'It' }, reason), DONE))).toMatchObject({ text: 'It', finish: 'length' });
    }
  });

  it('for an unknown reason keeps the text and tells the reader', async () => {
    const result = await read(sse(delta({ content: 'It is 4.' }, 'bored'), DONE));
    expect(result).toMatchObject(FOUR);
    expect(result.notice).toContain('bored');
  });

  it('that never came is a cut answer', async () => {
    expect(await read(sse(delta({ content: 'It is 4.' })))).toMatchObject({ text: 'It is 4.', error: 'truncated' });
  });
});

describe('reasoning', () => {
  it('after the answer has begun gets a block of its own', async () => {
    const body = sse(
      delta({ reasoning: 'I add.' }),
      delta({ content: 'Let me check. ' }),
      delta({ reasoning: 'Or is it 5?' }),
      delta({ content: 'It is four.' }, 'stop'),
      DONE,
    );
    expect((await read(body, 'vllm')).text).toBe(
      '<think>\nI add.\n</think>\n\nLet me check. <think>\nOr is it 5?\n</think>\n\nIt is four.',
    );
  });

  it('that comes last is closed, so that it is no answer', async () => {
    const lines = [
      { message: { thinking: 'I add.', content: '' }, done: false },
      { message: { content: 'It is 4. ' }, done: false },
      { message: { thinking: 'Hm, 5?', content: '' }, done: false },
      { message: { content: '' }, done: true, done_reason: 'stop' },
    ];
    const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    expect((await read(body, 'ollama', 'application/x-ndjson')).text).toBe(
      '<think>\nI add.\n</think>\n\nIt is 4. <think>\nHm, 5?\n</think>',
    );
  });

  it('that mentions the closing tag does not end there', async () => {
    const parts = ['The tag </th', 'ink> ends it: ', '<', '/think', '>.'];
    const frames = parts.map((reasoning) => delta({ reasoning }));
    const { text } = await read(sse(...frames, delta({ content: 'It is 4.' }), ...END), 'vllm');
    expect(text.split('</think>')).toHaveLength(2);
    expect(text.split('</think>')[1]!.trim()).toBe('It is 4.');
    expect(text.replaceAll('\u2060', '')).toContain('The tag </think> ends it: </think>.');
  });

  it('that ends in the middle of a tag keeps its end', async () => {
    const frames = [delta({ reasoning: 'a <' }), delta({ content: 'It is 4.' }), ...END];
    expect((await read(sse(...frames), 'vllm')).text).toBe('<think>\na <\n</think>\n\nIt is 4.');
    expect((await read(sse(delta({ reasoning: 'a </' }), ...END), 'vllm')).text).toBe('<think>\na </\n</think>');
  });

  it('is found in every field that servers use', async () => {
    for (const fields of [
      { reasoning: 'I add.' },
      { reasoning_content: 'I add.' },
      { reasoning: 'I add.', reasoning_content: 'I add.' },
      { reasoning: null, thinking: 'I add.' },
      { reasoning_details: [{ type: 'reasoning.text', text: 'I add.' }] },
    ]) {
      const { text } = await read(sse(delta(fields), delta({ content: 'It is 4.' }), ...END));
      expect(text).toBe('<think>\nI add.\n</think>\n\nIt is 4.');
    }
  });
});

describe('a content type', () => {
  const body = sse(delta({ content: 'It is 4.' }), ...END);

  it.each(['application/json', 'text/plain', 'text/html', 'application/octet-stream', ''])(
    '%s does not keep server-sent events from being read',
    async (type) => expect(await read(body, 'openai', type)).toMatchObject(FOUR),
  );

  it('does not keep JSON lines from being read', async () => {
    const lines = [delta({ content: 'It is ' }), delta({ content: '4.' }), delta({}, 'stop')];
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    for (const type of ['text/event-stream', 'application/json', 'application/x-ndjson']) {
      expect(await read(text, 'openai', type)).toMatchObject(FOUR);
    }
  });

  it('does not matter after white space and a byte order mark', async () => {
    expect(await read(`\ufeff\n\n${body}`)).toMatchObject(FOUR);
  });
});

it('text after the end but before [DONE] counts', async () => {
  const body = sse(delta({ content: 'It is ' }), delta({}, 'stop'), delta({ content: '4.' }), DONE);
  expect(await read(body)).toMatchObject(FOUR);
});

it('a refusal is the answer', async () => {
  expect(await read(sse(delta({ refusal: 'I can’t.' }), ...END))).toMatchObject({ text: 'I can’t.', finish: 'stop' });
});
