/** @file What each kind of server is sent: the keys that it takes and no others, since some refuse what they don't know. */
import type { GenerateRequest, Message } from '../runs/chat-model';
import { RemoteError } from './errors';
import { KIND_NAMES, type ServerKind } from './server';

/** What a server may take beside messages, temperature, top_p and a number of tokens. */
interface Takes {
  seed?: boolean;
  top_k?: boolean;
  min_p?: boolean;
  /** The name of its repetition penalty. */
  penalty?: 'repetition_penalty' | 'repeat_penalty';
  /** How many alternatives of a token it tells at most. */
  logprobs?: number;
  /** `stream_options.include_usage`. */
  usage?: boolean;
  /** How an answer is gone on with: its beginning is the last message, by itself or with vLLM's two keys. */
  prefix?: 'message' | 'keys';
}

const TAKES: Readonly<Record<ServerKind, Takes>> = {
  vllm: {
    seed: true,
    top_k: true,
    min_p: true,
    penalty: 'repetition_penalty',
    logprobs: 20,
    usage: true,
    prefix: 'keys',
  },
  sglang: {
    seed: true,
    top_k: true,
    min_p: true,
    penalty: 'repetition_penalty',
    logprobs: 20,
    usage: true,
    prefix: 'keys',
  },
  llamacpp: {
    seed: true,
    top_k: true,
    min_p: true,
    penalty: 'repeat_penalty',
    logprobs: 20,
    usage: true,
    prefix: 'message',
  },
  ollama: { seed: true, top_k: true, min_p: true, penalty: 'repeat_penalty', logprobs: 20, prefix: 'message' },
  'ollama-v1': { seed: true, logprobs: 20, usage: true, prefix: 'message' },
  tgi: { seed: true, logprobs: 5, usage: true },
  deepseek: { logprobs: 20, usage: true },
  // Refuses what it doesn't know, and warns of what it knows and ignores.
  transformers: { seed: true },
  openai: { seed: true, logprobs: 20, usage: true },
};

/**
 * Keys that a server of the right kind may still refuse: an older version, or a model that doesn't think. The request is
 * then sent once more without.
 */
export const NEGOTIABLE = ['think', 'logprobs', 'top_logprobs', 'stream_options', 'seed', 'min_p'] as const;
export type Negotiable = (typeof NEGOTIABLE)[number];

export interface RequestBody {
  body: Record<string, unknown>;
  /** Settings that the server doesn't take and that would have changed something. */
  ignored: string[];
}

/** @throws RemoteError when this kind of server can't go on with an answer */
export function requestBody(
  kind: ServerKind,
  model: string,
  request: GenerateRequest,
  without: ReadonlySet<Negotiable> = new Set(),
): RequestBody {
  const takes = TAKES[kind];
  const { temperature, top_p, top_k, min_p = 0, repetition_penalty = 1, max_tokens, seed } = request;
  const ignored: string[] = [];
  const sampling: Record<string, unknown> = { temperature };
  // llama.cpp and Ollama have defaults of their own that mean something; for the others 1 is the default, and TGI
  // refuses it.
  const explicit = takes.penalty === 'repeat_penalty';
  if (explicit || top_p < 1) sampling.top_p = top_p;
  if (takes.top_k) {
    if (explicit || top_k > 0) sampling.top_k = top_k;
  } else if (top_k > 0) ignored.push('top-k');
  if (takes.min_p && !without.has('min_p')) {
    if (explicit || min_p > 0) sampling.min_p = min_p;
  } else if (min_p > 0) ignored.push('min-p');
  if (takes.penalty) {
    if (explicit || repetition_penalty !== 1) sampling[takes.penalty] = repetition_penalty;
  } else if (repetition_penalty !== 1) ignored.push('repetition penalty');
  if (takes.seed && !without.has('seed')) sampling.seed = seed;

  const messages: Message[] = request.messages.map(({ role, content }) => ({ role, content }));
  const extra: Record<string, unknown> = {};
  if (request.prefix) {
    if (!takes.prefix) {
      throw new RemoteError('unsupported', `${KIND_NAMES[kind]} can't go on with an answer. Ask again instead.`);
    }
    messages.push({ role: 'assistant', content: request.prefix });
    if (takes.prefix === 'keys') Object.assign(extra, { add_generation_prompt: false, continue_final_message: true });
  }
  const top = Math.min(request.top_logprobs ?? 0, takes.logprobs ?? 0);
  if (top > 0 && !without.has('logprobs')) {
    extra.logprobs = true;
    if (!without.has('top_logprobs')) extra.top_logprobs = top;
  }
  if (kind === 'ollama') {
    if (!without.has('think')) extra.think = true;
    const options = { ...sampling, num_predict: max_tokens };
    return { body: { model, messages, stream: true, ...extra, options }, ignored };
  }
  if (takes.usage && !without.has('stream_options')) extra.stream_options = { include_usage: true };
  return { body: { model, messages, stream: true, ...sampling, max_tokens, ...extra }, ignored };
}

/** Which of the keys sent a refusal is about; null when about none of them. */
export function refusedKey(message: string, body: Record<string, unknown>): Negotiable | null {
  const options = (body.options ?? {}) as Record<string, unknown>;
  const sent = NEGOTIABLE.filter((key) => Object.hasOwn(body, key) || Object.hasOwn(options, key));
  // The longer name first: `top_logprobs` holds `logprobs`.
  const named = (key: Negotiable) => new RegExp(key === 'think' ? '\\bthink' : `\\b${key}\\b`, 'i').test(message);
  return sent.sort((a, b) => b.length - a.length).find(named) ?? null;
}
