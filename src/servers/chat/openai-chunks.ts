/**
 * @file The chunks of an OpenAI-style stream, with what other servers add to them. Everything from a server is hostile:
 * only known fields come out, text only as text, and what is strange beside the text doesn't cost the text.
 */
import * as v from 'valibot';
import { parseJson } from '../stream';
import { errorIn } from './error-text';
import { count, emptyFrame, frameToken, lenient, reportOf, tokenLogprob, type Frame } from './frame';

const choiceSchema = v.object({
  index: lenient(count),
  delta: lenient(v.record(v.string(), v.unknown())),
  /** In place of `delta` where a server doesn't stream. */
  message: lenient(v.record(v.string(), v.unknown())),
  /** In place of both in OpenAI's older protocol. */
  text: lenient(v.string()),
  finish_reason: v.unknown(),
  logprobs: lenient(v.object({ content: v.nullish(v.array(tokenLogprob)) })),
});

const usageSchema = v.object({
  prompt_tokens: lenient(count),
  completion_tokens: lenient(count),
  reasoning_tokens: lenient(count),
  prompt_cache_hit_tokens: lenient(count),
  prompt_tokens_details: lenient(v.object({ cached_tokens: lenient(count) })),
  completion_tokens_details: lenient(v.object({ reasoning_tokens: lenient(count) })),
});

const chunkSchema = v.object({
  choices: v.nullish(v.array(v.nullish(v.partial(choiceSchema)))),
  usage: lenient(usageSchema),
  timings: lenient(v.object({ cache_n: lenient(count), prompt_ms: lenient(count), predicted_ms: lenient(count) })),
});

/**
 * Reads an event of an OpenAI-style stream.
 * @returns null for what no such server sends: no JSON, or an answer that isn't text
 */
export function readOpenAiChunk(data: string): Frame | null {
  if (data.trim() === '[DONE]') return { ...emptyFrame(), done: true };
  // Some proxies keep a connection alive with events whose data is empty.
  if (data.trim() === '') return emptyFrame();
  const json = parseJson(data);
  if (json === undefined || Array.isArray(json) || typeof json === 'string') return null;
  if (typeof json !== 'object' || json === null) return emptyFrame();
  const frame = emptyFrame();
  frame.error = errorIn(json);
  const parsed = v.safeParse(chunkSchema, json);
  if (!parsed.success) return frame.error === null ? null : frame;
  const { choices, usage, timings } = parsed.output;
  frame.report = reportOf({
    prompt_tokens: usage?.prompt_tokens,
    cached_tokens: usage?.prompt_tokens_details?.cached_tokens ?? usage?.prompt_cache_hit_tokens ?? timings?.cache_n,
    completion_tokens: usage?.completion_tokens,
    reasoning_tokens: usage?.completion_tokens_details?.reasoning_tokens ?? usage?.reasoning_tokens,
    load_ms: undefined,
    prompt_ms: timings?.prompt_ms,
    completion_ms: timings?.predicted_ms,
  });
  if (!choices && frame.error === null && isForeign(json)) return null;
  const choice = choices?.find((each) => each && (each.index ?? 0) === 0);
  if (!choice) return frame;
  const said = choice.delta ?? choice.message ?? {};
  const texts = textOf(said.content);
  const reasoning = reasoningOf(said);
  const refusal = textOf(said.refusal);
  if (!texts || !refusal) return frame.error === null ? null : frame;
  frame.content = texts.content + refusal.content || (choice.text ?? '');
  frame.reasoning = reasoning + texts.reasoning;
  frame.notShown = texts.notShown;
  frame.tokens = (choice.logprobs?.content ?? []).map(frameToken);
  frame.finish = finishOf(choice.finish_reason);
  return frame;
}

/** Whether an event without choices carries an answer in another protocol, which must not pass for a sign of life. */
function isForeign(event: object): boolean {
  const fields = event as Record<string, unknown>;
  const isText = (value: unknown) => typeof value === 'string' && value !== '';
  return (
    ['content', 'response', 'delta', 'completion', 'generated_text', 'text'].some((name) => isText(fields[name])) ||
    ['message', 'delta', 'token'].some((name) => partText(fields[name]) !== '' && !isText(fields[name]))
  );
}

interface Texts {
  content: string;
  reasoning: string;
  notShown: string[];
}

/**
 * Content as text: a string, or the list of parts that Mistral's API and the servers modelled on it send. Null when it is
 * neither.
 */
function textOf(content: unknown): Texts | null {
  const texts: Texts = { content: '', reasoning: '', notShown: [] };
  if (content == null) return texts;
  if (typeof content === 'string') return { ...texts, content };
  for (const part of Array.isArray(content) ? content : [content]) {
    if (part == null) continue;
    if (typeof part === 'string') {
      texts.content += part;
      continue;
    }
    if (typeof part !== 'object') return null;
    const type = 'type' in part && typeof part.type === 'string' ? part.type : null;
    const text = partText(part as Record<string, unknown>);
    if (type === null && text === '') return null;
    if (type !== null && /think|reason/i.test(type)) texts.reasoning += text;
    else if (text !== '' || type === null || /text/i.test(type)) texts.content += text;
    else texts.notShown.push(type);
  }
  return texts;
}

/** The text of a part, in whichever of its fields it is. Parts of parts are read a few levels deep. */
function partText(part: unknown, depth = 0): string {
  if (typeof part === 'string') return part;
  if (typeof part !== 'object' || part === null || depth > 4) return '';
  if (Array.isArray(part)) return part.map((each) => partText(each, depth + 1)).join('');
  const fields = part as Record<string, unknown>;
  const own = ['text', 'thinking', 'reasoning', 'summary', 'content', 'refusal'].find(
    (name) => Object.hasOwn(fields, name) && fields[name] != null,
  );
  return own === undefined ? '' : partText(fields[own], depth + 1);
}

/** The fields for reasoning, newest name first. Servers that fill several of them repeat the same text. */
function reasoningOf(said: Record<string, unknown>): string {
  const names = ['reasoning', 'reasoning_content', 'thinking', 'reasoning_text', 'reasoning_details'];
  return names.map((name) => (Object.hasOwn(said, name) ? partText(said[name]) : '')).find((text) => text !== '') ?? '';
}

/** The reason as text; some servers send a number or an object. Null while the answer goes on. */
function finishOf(reason: unknown): string | null {
  if (typeof reason === 'string') return /^(?:null|none|)$/i.test(reason.trim()) ? null : reason.trim();
  if (reason === true) return 'stop';
  if (typeof reason === 'number') return reason === 0 ? null : String(reason);
  if (typeof reason !== 'object' || reason === null) return null;
  const { type, reason: inner } = reason as Record<string, unknown>;
  return [type, inner].find((each): each is string => typeof each === 'string' && each !== '') ?? null;
}
