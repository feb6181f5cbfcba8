/** @file The body of a chat request, from what a kind of server accepts. */
import type { GenerateRequest, Message } from '../../runs/chat-model';
import { t } from '../../i18n';
import { RemoteError } from '../errors';

/** What a kind of server accepts besides messages, temperature, top_p and a number of tokens. */
export interface Accepted {
  /** The kind's name, for messages to the user. */
  name: string;
  seed?: boolean;
  top_k?: boolean;
  min_p?: boolean;
  /** What it calls the repetition penalty. */
  repetitionPenalty?: 'repetition_penalty' | 'repeat_penalty';
  /** Its defaults differ from "off", so every setting is sent, even one that is off. */
  ownDefaults?: boolean;
  /** The highest `top_logprobs`; without it, the server gives no log-probabilities. */
  maxTopLogprobs?: number;
  /** Whether it accepts `stream_options.include_usage`. */
  usage?: boolean;
  /** How it continues an answer whose beginning is the last message: by itself, or told so by vLLM's two keys. */
  continues?: 'by itself' | 'with keys';
}

/**
 * Keys that a server of the right kind may still refuse, because it is an older version or its model can't do that. The
 * request is then sent once more without the key.
 */
export const NEGOTIABLE_KEYS = ['think', 'logprobs', 'top_logprobs', 'stream_options', 'seed', 'min_p'] as const;
export type NegotiableKey = (typeof NEGOTIABLE_KEYS)[number];

export interface RequestBody {
  body: Record<string, unknown>;
  /** Names of settings that the server doesn't accept and that would have changed the answer. */
  ignored: string[];
}

/** The parts that OpenAI's protocol and Ollama's put together in different ways. */
export interface RequestParts extends Pick<RequestBody, 'ignored'> {
  messages: Message[];
  sampling: Record<string, unknown>;
  /** Log-probabilities, and keys that continue an answer. */
  extra: Record<string, unknown>;
}

/** @throws RemoteError when this kind of server can't continue an answer */
export function requestParts(
  accepted: Accepted,
  request: GenerateRequest,
  refused: ReadonlySet<NegotiableKey>,
): RequestParts {
  return {
    ...samplingOf(accepted, request, refused),
    messages: messagesOf(accepted, request),
    extra: {
      ...(request.prefix &&
        accepted.continues === 'with keys' && { add_generation_prompt: false, continue_final_message: true }),
      ...logprobsOf(accepted, request, refused),
    },
  };
}

function samplingOf(accepted: Accepted, request: GenerateRequest, refused: ReadonlySet<NegotiableKey>) {
  const { temperature, top_p, top_k, min_p = 0, repetition_penalty = 1, seed } = request;
  const ignored: string[] = [];
  const sampling: Record<string, unknown> = { temperature };
  const always = accepted.ownDefaults === true;
  // TGI refuses a top_p of 1, which is the default anyway.
  if (always || top_p < 1) sampling.top_p = top_p;
  if (accepted.top_k) {
    if (always || top_k > 0) sampling.top_k = top_k;
  } else if (top_k > 0) ignored.push(t('servers:chat.topK'));
  if (accepted.min_p && !refused.has('min_p')) {
    if (always || min_p > 0) sampling.min_p = min_p;
  } else if (min_p > 0) ignored.push(t('servers:chat.minP'));
  if (accepted.repetitionPenalty) {
    if (always || repetition_penalty !== 1) sampling[accepted.repetitionPenalty] = repetition_penalty;
  } else if (repetition_penalty !== 1) ignored.push(t('servers:chat.repetitionPenalty'));
  if (accepted.seed && !refused.has('seed')) sampling.seed = seed;
  return { sampling, ignored };
}

function messagesOf({ name, continues }: Accepted, request: GenerateRequest): Message[] {
  const messages: Message[] = request.messages.map(({ role, content }) => ({ role, content }));
  if (!request.prefix) return messages;
  if (!continues) throw new RemoteError('unsupported', t('servers:chat.cannotContinue', { kind: name }));
  return [...messages, { role: 'assistant', content: request.prefix }];
}

function logprobsOf({ maxTopLogprobs = 0 }: Accepted, request: GenerateRequest, refused: ReadonlySet<NegotiableKey>) {
  const top = Math.min(request.top_logprobs ?? 0, maxTopLogprobs);
  if (top === 0 || refused.has('logprobs')) return {};
  return { logprobs: true, ...(!refused.has('top_logprobs') && { top_logprobs: top }) };
}

/** The key that a refusal is about, of those that were sent; null when it is about none of them. */
export function refusedKey(message: string, body: Record<string, unknown>): NegotiableKey | null {
  const options = (body.options ?? {}) as Record<string, unknown>;
  const sent = NEGOTIABLE_KEYS.filter((key) => Object.hasOwn(body, key) || Object.hasOwn(options, key));
  const named = (key: NegotiableKey) =>
    // Ollama writes "does not support thinking".
    new RegExp(key === 'think' ? '\\bthink' : `\\b${key}\\b`, 'i').test(message);
  // The longer name first, since `top_logprobs` contains `logprobs`.
  return sent.sort((a, b) => b.length - a.length).find(named) ?? null;
}
