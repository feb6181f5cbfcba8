/**
 * @file What the events of a stream say, whoever sends them: OpenAI's chunks with everybody's additions, and Ollama's
 * lines. Everything from a server is checked here; only known fields come out, and text only as text.
 */
import * as v from 'valibot';
import type { Alternative, ServerReport } from '../runs/chat-model';
import { errorText, parseJson } from './exchange';

export interface PieceToken {
  text: string;
  logprob: number;
  top: Alternative[];
}

export interface Piece {
  reasoning: string;
  content: string;
  /** Of this piece's text, where the server was asked for them and gives them. */
  tokens: PieceToken[];
  /** As the server spells it; null while the answer goes on. */
  finish: string | null;
  report: ServerReport;
}

/** `bad`: not what this kind of server sends. `failed`: the server's own words on what went wrong. */
export type Read = { kind: 'piece'; piece: Piece } | { kind: 'failed'; said: string } | { kind: 'bad' };

const text = v.nullish(v.string(), '');
const count = v.pipe(v.number(), v.finite(), v.minValue(0));
/** Where a server sends something strange beside its text, the text still counts. */
const lenient = <T extends v.GenericSchema>(schema: T) => v.fallback(v.nullish(schema), undefined);

const alternative = v.object({ token: v.string(), logprob: v.number() });
const token = v.object({ ...alternative.entries, top_logprobs: lenient(v.array(alternative)) });

const words = v.nullish(v.object({ content: text, reasoning: text, reasoning_content: text }));

const chunk = v.object({
  choices: v.nullish(
    v.array(
      v.object({
        index: lenient(count),
        delta: words,
        /** In place of `delta` where a server doesn't stream. */
        message: words,
        finish_reason: v.nullish(v.string(), null),
        logprobs: lenient(v.object({ content: v.nullish(v.array(token)) })),
      }),
    ),
  ),
  usage: lenient(
    v.object({
      prompt_tokens: lenient(count),
      completion_tokens: lenient(count),
      reasoning_tokens: lenient(count),
      prompt_cache_hit_tokens: lenient(count),
      prompt_tokens_details: lenient(v.object({ cached_tokens: lenient(count) })),
      completion_tokens_details: lenient(v.object({ reasoning_tokens: lenient(count) })),
    }),
  ),
  timings: lenient(
    v.object({
      cache_n: lenient(count),
      prompt_ms: lenient(count),
      predicted_ms: lenient(count),
    }),
  ),
});

/** An event of an OpenAI-style stream, `[DONE]` aside. */
export function readChunk(data: string): Read {
  const json = parseJson(data);
  // transformers serve puts the words of an error between quotes as they are.
  const unescaped = /^\s*\{"error": ?"([^]*)"\}\s*$/.exec(data);
  if (json === undefined) return unescaped ? { kind: 'failed', said: unescaped[1]! } : { kind: 'bad' };
  const parsed = v.safeParse(chunk, json);
  const hasChoices = parsed.success && parsed.output.choices != null;
  if (!hasChoices) {
    const said = errorText(json);
    if (said !== null) return { kind: 'failed', said };
  }
  if (has(json, 'error')) return { kind: 'failed', said: errorText(json) ?? '' };
  if (!parsed.success || (!hasChoices && !parsed.output.usage)) return { kind: 'bad' };
  const { choices, usage, timings } = parsed.output;
  const choice = choices?.find(({ index }) => (index ?? 0) === 0);
  const said = choice?.delta ?? choice?.message;
  const report: ServerReport = {};
  put(report, 'prompt_tokens', usage?.prompt_tokens);
  put(
    report,
    'cached_tokens',
    usage?.prompt_tokens_details?.cached_tokens ?? usage?.prompt_cache_hit_tokens ?? timings?.cache_n,
  );
  put(report, 'completion_tokens', usage?.completion_tokens);
  put(report, 'reasoning_tokens', usage?.completion_tokens_details?.reasoning_tokens ?? usage?.reasoning_tokens);
  put(report, 'prompt_ms', timings?.prompt_ms);
  put(report, 'completion_ms', timings?.predicted_ms);
  const piece: Piece = {
    reasoning: (said?.reasoning || said?.reasoning_content) ?? '',
    content: said?.content ?? '',
    tokens: (choice?.logprobs?.content ?? []).map(readToken),
    finish: choice?.finish_reason || null,
    report,
  };
  return { kind: 'piece', piece };
}

const line = v.object({
  message: v.nullish(v.object({ content: text, thinking: text })),
  done: v.boolean(),
  done_reason: v.nullish(v.string()),
  logprobs: lenient(v.array(token)),
  prompt_eval_count: lenient(count),
  prompt_eval_duration: lenient(count),
  eval_count: lenient(count),
  eval_duration: lenient(count),
  load_duration: lenient(count),
});

/** A line of Ollama's own protocol. */
export function readLine(data: string): Read {
  const json = parseJson(data);
  if (json === undefined) return { kind: 'bad' };
  if (has(json, 'error')) return { kind: 'failed', said: errorText(json) ?? '' };
  const parsed = v.safeParse(line, json);
  if (!parsed.success) return { kind: 'bad' };
  const { message, done, done_reason, logprobs, ...counts } = parsed.output;
  const report: ServerReport = {};
  const ms = (nanoseconds: number | null | undefined) => (nanoseconds == null ? undefined : nanoseconds / 1e6);
  put(report, 'prompt_tokens', counts.prompt_eval_count);
  put(report, 'completion_tokens', counts.eval_count);
  put(report, 'load_ms', ms(counts.load_duration));
  put(report, 'prompt_ms', ms(counts.prompt_eval_duration));
  put(report, 'completion_ms', ms(counts.eval_duration));
  const piece: Piece = {
    reasoning: message?.thinking ?? '',
    content: message?.content ?? '',
    tokens: (logprobs ?? []).map(readToken),
    finish: done ? done_reason || 'stop' : null,
    report,
  };
  return { kind: 'piece', piece };
}

/** vLLM and llama.cpp write impossible tokens as a large negative number: JSON has no infinity. */
function readToken({ token: text, logprob, top_logprobs }: v.InferOutput<typeof token>): PieceToken {
  const top = (top_logprobs ?? []).map((each): Alternative => ({ text: each.token, logprob: each.logprob }));
  return { text, logprob, top: top.sort((a, b) => b.logprob - a.logprob) };
}

function put(report: ServerReport, name: keyof ServerReport, value: number | null | undefined): void {
  if (value != null) report[name] = value;
}

function has(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) && (value as never)[name] !== null;
}
