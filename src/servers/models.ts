/** @file The models that a server has. */
import { t } from '../i18n';
import { RemoteError } from './errors';
import { Exchange, type ExchangeOptions } from './exchange';
import { modelServerKind } from './kinds';
import { modelsUrl, type RemoteServer } from './server';

export interface RemoteModel {
  /** The server's own name for it. */
  id: string;
  /** The length of its context in tokens, where the server gives it. */
  context?: number;
  /** Size and quantisation for the reader, such as "7.6B, Q4_K_M". */
  detail?: string;
}

const MAX_MODELS = 2000;
/** Milliseconds; a list comes at once or not at all. */
const LIST_MS = 20_000;

/**
 * Asks a server for its models. `transformers serve` lists what is in its cache, which need not include the model that it
 * was started with.
 * @throws RemoteError with a message for the user
 */
export async function listModels(
  server: RemoteServer,
  options: ExchangeOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<RemoteModel[]> {
  const patience = { firstMs: LIST_MS, stallMs: LIST_MS, ...options };
  const exchange = await Exchange.open(server, modelsUrl(server), {}, patience, signal);
  const models = modelServerKind(server.kind).readModels(await exchange.json());
  if (!models) throw new RemoteError('protocol', t('servers:models.noList', { server: server.label }));
  return models.slice(0, MAX_MODELS);
}
