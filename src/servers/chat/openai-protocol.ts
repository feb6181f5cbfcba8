/** @file OpenAI's protocol, which most kinds of servers speak, each with its own additions. */
import * as v from 'valibot';
import type { ModelServerKind } from '../kinds/kind';
import type { RemoteModel } from '../models';
import { readOpenAiChunk } from './openai-chunks';
import { requestParts, type Accepted } from './request-body';

const size = v.fallback(v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1))), undefined);
const word = v.fallback(v.nullish(v.pipe(v.string(), v.maxLength(100))), undefined);

/** The context is `max_model_len` of vLLM and SGLang; llama.cpp gives the context that it or the model was made for. */
const modelList = v.object({
  data: v.array(
    v.object({
      id: v.pipe(v.string(), v.minLength(1), v.maxLength(500)),
      owned_by: word,
      max_model_len: size,
      meta: v.fallback(v.nullish(v.object({ n_ctx: size, n_ctx_train: size })), undefined),
    }),
  ),
});

/** Who owns the models of an OpenAI-style list; null when the answer is no such list. */
export function modelOwners(answer: unknown): string[] | null {
  const parsed = v.safeParse(modelList, answer);
  return parsed.success ? parsed.output.data.flatMap(({ owned_by }) => owned_by ?? []) : null;
}

export function readOpenAiModels(answer: unknown): RemoteModel[] | null {
  const parsed = v.safeParse(modelList, answer);
  if (!parsed.success) return null;
  return parsed.output.data.map(({ id, max_model_len, meta }) => {
    const context = max_model_len ?? meta?.n_ctx ?? meta?.n_ctx_train;
    return { id, ...(context && { context }) };
  });
}

type OpenAiParts = Pick<
  ModelServerKind,
  'statusPath' | 'chatPath' | 'modelsPath' | 'copiedPaths' | 'readModels' | 'requestBody' | 'readFrame'
>;

/** What every kind that speaks this protocol has in common. @param accepted the keys that the kind accepts */
export const openAiProtocol = (accepted: Accepted): OpenAiParts => ({
  statusPath: '/v1/models',
  chatPath: (prefix) => `${prefix}/chat/completions`,
  modelsPath: (prefix) => `${prefix}/models`,
  copiedPaths: ['/v1', '/v1/chat/completions', '/chat/completions', '/v1/models', '/models'],
  readModels: readOpenAiModels,
  requestBody(model, request, refused) {
    const { messages, sampling, extra, ignored } = requestParts(accepted, request, refused);
    const body = {
      model,
      messages,
      stream: true,
      ...sampling,
      max_tokens: request.max_tokens,
      ...extra,
      ...(accepted.usage && !refused.has('stream_options') && { stream_options: { include_usage: true } }),
    };
    return { body, ignored };
  },
  readFrame: readOpenAiChunk,
});
