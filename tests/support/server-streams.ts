/** @file What each kind of server streams, byte for byte: an answer with thoughts, in the format of that server. */
import type { ServerKind } from '../../src/servers/kinds';

export interface ServerStream {
  contentType: string;
  /** The whole body. */
  body: string;
  /** Its events, in order; joined they are the body. */
  events: string[];
  /** The event that ends the answer, by its place in `events`. */
  finish: number;
  /** The answer as the policy gives it out. */
  text: string;
}

export const THOUGHT = '2+2 – ça fait 4 \u{1f914}';
export const ANSWER = 'It is 4. 答えは 4 です。';
const APART = `<think>\n${THOUGHT}\n</think>\n\n${ANSWER}`;

const json = (value: unknown): string => JSON.stringify(value);
/** In pieces of a few characters, never inside one. */
const cut = (text: string, size = 5): string[] => {
  const letters = [...text];
  return Array.from({ length: Math.ceil(letters.length / size) }, (_, i) =>
    letters.slice(i * size, (i + 1) * size).join(''),
  );
};

const chunk = (choices: unknown[], more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices,
  ...more,
});
const choice = (delta: object, finish_reason: string | null = null, more: object = {}) => ({
  index: 0,
  delta,
  finish_reason,
  ...more,
});

interface Sse {
  thoughts: (piece: string) => object;
  /** Between `data:` and the JSON, and after it. */
  space?: string;
  end?: string;
  usage?: object;
  /** Beside the choice that ends the answer. */
  last?: object;
  done?: boolean;
  /** Before every third event. */
  comment?: string;
}

function sse({
  thoughts,
  space = ' ',
  end = '\n\n',
  usage,
  last = {},
  done = true,
  comment,
}: Sse): Omit<ServerStream, 'text'> {
  const data = (value: unknown) => `data:${space}${typeof value === 'string' ? value : json(value)}${end}`;
  const events = [data(chunk([choice({ role: 'assistant', content: '' })]))];
  for (const piece of cut(THOUGHT)) events.push(data(chunk([choice(thoughts(piece))])));
  for (const piece of cut(ANSWER)) events.push(data(chunk([choice({ content: piece })])));
  events.push(data(chunk([choice({}, 'stop')], last)));
  const finish = events.length - 1;
  if (usage) events.push(data(chunk([], { usage })));
  if (done) events.push(data('[DONE]'));
  const spaced = comment ? events.map((event, i) => (i % 3 === 1 ? comment + event : event)) : events;
  return { contentType: 'text/event-stream', body: spaced.join(''), events: spaced, finish };
}

const usage = { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 };

function inline(stream: Omit<ServerStream, 'text'>, text: string): ServerStream {
  return { ...stream, text };
}

/** TGI and others that leave the thoughts in the text. */
const inText = (more: Omit<Sse, 'thoughts'>): ServerStream => {
  const stream = sse({ thoughts: (piece) => ({ content: piece }), ...more });
  return inline(stream, THOUGHT + ANSWER);
};

function ollama(): ServerStream {
  const line = (message: object, more: object = { done: false }) =>
    `${json({ model: 'm', created_at: '2026-01-01T00:00:00Z', message: { role: 'assistant', ...message }, ...more })}\n`;
  const events = [
    ...cut(THOUGHT).map((thinking) => line({ content: '', thinking })),
    ...cut(ANSWER).map((content) => line({ content })),
    line(
      { content: '' },
      {
        done: true,
        done_reason: 'stop',
        total_duration: 5e9,
        load_duration: 1e9,
        prompt_eval_count: 11,
        prompt_eval_duration: 250_000_000,
        eval_count: 22,
        eval_duration: 2_000_000_000,
      },
    ),
  ];
  return { contentType: 'application/x-ndjson', body: events.join(''), events, finish: events.length - 1, text: APART };
}

export const STREAMS: Readonly<Record<ServerKind, ServerStream>> = {
  vllm: inline(sse({ thoughts: (reasoning) => ({ reasoning }), usage }), APART),
  sglang: inline(
    sse({
      thoughts: (reasoning_content) => ({ reasoning_content, content: null }),
      usage: { ...usage, reasoning_tokens: 9 },
    }),
    APART,
  ),
  llamacpp: inline(
    sse({
      thoughts: (reasoning_content) => ({ reasoning_content }),
      comment: ':\n\n',
      last: { usage, timings: { cache_n: 3, prompt_n: 8, prompt_ms: 12.5, predicted_n: 22, predicted_ms: 410 } },
    }),
    APART,
  ),
  ollama: ollama(),
  'ollama-v1': inline(sse({ thoughts: (reasoning) => ({ reasoning, content: '' }), usage }), APART),
  tgi: inText({ space: '', usage }),
  deepseek: inline(
    sse({
      thoughts: (reasoning_content) => ({ reasoning_content, content: null }),
      comment: ': keep-alive\n\n',
      last: {
        usage: {
          ...usage,
          prompt_cache_hit_tokens: 4,
          prompt_cache_miss_tokens: 7,
          completion_tokens_details: { reasoning_tokens: 9 },
        },
      },
    }),
    APART,
  ),
  // No [DONE]; Windows line ends are no server's here, but the standard's.
  transformers: inText({ done: false, last: { usage }, end: '\r\n\r\n' }),
  openai: inline(sse({ thoughts: (reasoning) => ({ reasoning }), usage }), APART),
};
