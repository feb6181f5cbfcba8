/** @file What kind of server answers at an address: one or two small questions, and what it has. */
import * as v from 'valibot';
import { RemoteError } from './errors';
import { Exchange, type ExchangeOptions } from './exchange';
import { ServerKey } from './key';
import { openAiList, readModels, tgiInfo, type RemoteModel } from './models';
import { serverUrl, TRAINING, type AnyServer, type RemoteServer, type ServerKind } from './server';
import { readInfo, type SidecarInfo } from './training/sidecar';

export interface Detected {
  server: AnyServer;
  models: RemoteModel[];
  /** Only of a server that trains. */
  training?: SidecarInfo;
}

/** Milliseconds for each question. */
const PROBE_MS = 10_000;

/** Who says so of its models. */
const OWNERS: Readonly<Record<string, ServerKind>> = { vllm: 'vllm', sglang: 'sglang', llamacpp: 'llamacpp' };

/** What only transformers serve has among its paths. */
const transformersPaths = v.object({ paths: v.object({ '/load_model': v.unknown() }) });

/**
 * Finds out what answers at `address`.
 * @param key of the server, where it asks for one
 * @throws RemoteError: unreachable, auth, html, redirect, path when nothing there is a known server
 */
export async function detectServer(
  address: string,
  key?: string,
  options: ExchangeOptions = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Detected> {
  const url = serverUrl(address);
  const server: RemoteServer = {
    kind: 'openai',
    url,
    label: new URL(url).host,
    key: key?.trim() ? new ServerKey(url, key) : null,
  };
  const probing = { retries: 0, firstMs: PROBE_MS, stallMs: PROBE_MS, ...options };
  const ask = async (path: string): Promise<unknown> =>
    (await Exchange.open(server, url + path, {}, probing, signal)).json();
  /** For what may not be there; null then. What says that nothing will be is thrown. */
  const tryAsk = async (path: string): Promise<unknown> => {
    try {
      return await ask(path);
    } catch (error) {
      if (error instanceof RemoteError && error.code !== 'unreachable' && error.code !== 'stalled') return null;
      throw error;
    }
  };
  const found = (kind: ServerKind, answer: unknown, prefix?: ''): Detected => {
    const detected: RemoteServer = { ...server, kind, ...(prefix !== undefined && { prefix }) };
    return { server: detected, models: readModels(detected, answer) ?? [] };
  };

  const isDeepSeek = new URL(url).hostname === 'api.deepseek.com';
  let problem: unknown = null;
  try {
    const answer = await ask('/v1/models');
    const parsed = v.safeParse(openAiList, answer);
    if (parsed.success) {
      if (isDeepSeek) return found('deepseek', answer);
      const owner = parsed.output.data.map(({ owned_by }) => OWNERS[owned_by ?? '']).find(Boolean);
      if (owner) return found(owner, answer);
      if (is(v.object({ version: v.string() }), await tryAsk('/api/version')))
        return found('ollama', await tryAsk('/api/tags'));
      const info = await tryAsk('/info');
      if (is(tgiInfo, info)) return found('tgi', info);
      return found(is(transformersPaths, await tryAsk('/openapi.json')) ? 'transformers' : 'openai', answer);
    }
  } catch (error) {
    // Only a server that has no such list may still be one of the others; transformers serve fails over an empty cache.
    const passing =
      error instanceof RemoteError && ['path', 'model', 'protocol', 'html', 'server'].includes(error.code);
    if (!passing) throw error;
    problem = error;
  }
  if (is(v.object({ version: v.string() }), await tryAsk('/api/version')))
    return found('ollama', await tryAsk('/api/tags'));
  const info = await tryAsk('/info');
  if (is(tgiInfo, info)) return found('tgi', info);
  const training = readInfo(info);
  if (training) return { server: { ...server, kind: TRAINING }, models: [], training };
  if (is(transformersPaths, await tryAsk('/openapi.json'))) return found('transformers', { data: [] });
  const bare = await tryAsk('/models');
  if (is(openAiList, bare)) return found('openai', bare, '');
  throw problem instanceof RemoteError && (problem.code === 'html' || problem.code === 'server')
    ? problem
    : new RemoteError(
        'path',
        `Something answers at ${url}, but no server that is known here. Check the port and the path.`,
      );
}

const is = (schema: v.GenericSchema, value: unknown): boolean => v.safeParse(schema, value).success;
