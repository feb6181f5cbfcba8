/** @file Which models a server has. */
import * as v from 'valibot';
import { RemoteError } from './errors';
import { Exchange, type ExchangeOptions } from './exchange';
import { modelsUrl, type RemoteServer } from './server';

export interface RemoteModel {
  /** As the server names it. */
  id: string;
  /** Tokens that it keeps in view, where the server says. */
  context?: number;
  /** For the reader: "7.6B, Q4_K_M". */
  detail?: string;
}

/** A list longer than this is cut. */
const MOST = 2000;
/** Lists come at once or not at all, in milliseconds. */
const LIST_MS = 20_000;

const size = v.fallback(v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1))), undefined);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(500));
const word = v.fallback(v.nullish(v.pipe(v.string(), v.maxLength(100))), undefined);

/** vLLM and SGLang say `max_model_len`, llama.cpp the context that the model was trained for. */
export const openAiList = v.object({
  data: v.array(
    v.object({
      id: name,
      owned_by: word,
      max_model_len: size,
      meta: v.fallback(v.nullish(v.object({ n_ctx: size, n_ctx_train: size })), undefined),
    }),
  ),
});

const ollamaList = v.object({
  models: v.array(
    v.object({
      name,
      details: v.fallback(v.nullish(v.object({ parameter_size: word, quantization_level: word })), undefined),
    }),
  ),
});

export const tgiInfo = v.object({ model_id: name, max_total_tokens: size });

/**
 * The models of a server. `transformers serve` lists what is in its cache, which need not hold the one it was started
 * with.
 * @throws RemoteError with a message for the user
 */
export async function listModels(
  server: RemoteServer,
  options: ExchangeOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<RemoteModel[]> {
  const exchange = await Exchange.open(
    server,
    modelsUrl(server),
    {},
    { firstMs: LIST_MS, stallMs: LIST_MS, ...options },
    signal,
  );
  const models = readModels(server, await exchange.json());
  if (!models) {
    throw new RemoteError('protocol', `${server.label} gives no list of models. Is it another kind of server?`);
  }
  return models.slice(0, MOST);
}

/** Null when the answer is not what this kind of server sends. */
export function readModels(server: RemoteServer, answer: unknown): RemoteModel[] | null {
  if (server.kind === 'ollama') {
    const parsed = v.safeParse(ollamaList, answer);
    return parsed.success ? parsed.output.models.map(({ name, details }) => modelOf(name, null, details)) : null;
  }
  if (server.kind === 'tgi') {
    const parsed = v.safeParse(tgiInfo, answer);
    return parsed.success ? [modelOf(parsed.output.model_id, parsed.output.max_total_tokens)] : null;
  }
  const parsed = v.safeParse(openAiList, answer);
  if (!parsed.success) return null;
  return parsed.output.data.map(({ id, max_model_len, meta }) =>
    modelOf(id, max_model_len ?? meta?.n_ctx ?? meta?.n_ctx_train),
  );
}

function modelOf(
  id: string,
  context: number | null | undefined,
  details?: { parameter_size?: string | null | undefined; quantization_level?: string | null | undefined } | null,
): RemoteModel {
  const detail = [details?.parameter_size, details?.quantization_level].filter(Boolean).join(', ');
  return { id, ...(context && { context }), ...(detail && { detail }) };
}
