/** @file Finds out which kind of server answers at an address, by a few small requests, and what it has. */
import { t } from '../i18n';
import { modelOwners } from './chat/openai-protocol';
import { RemoteError } from './errors';
import { Exchange, type ExchangeOptions } from './exchange';
import { ServerKey } from './key';
import { ALL_KINDS, kindOf, modelServerKind, TRAINING, type AnyKind, type ServerKind } from './kinds';
import type { RemoteModel } from './models';
import { serverUrl, type AnyServer, type RemoteServer } from './server';
import { readInfo, type SidecarInfo } from './training/sidecar-schema';

export interface Detected {
  server: AnyServer;
  models: RemoteModel[];
  /** What a training server has; absent for all others. */
  training?: SidecarInfo;
}

/** Milliseconds for each request. */
const PROBE_MS = 10_000;

/** What a list of models may fail with although a server of some kind is there. `transformers serve` fails when it has none. */
const MAY_BE_ANOTHER_KIND: ReadonlySet<string> = new Set(['path', 'model', 'protocol', 'html', 'server']);

/**
 * Finds out what answers at `address`.
 * @param key the server's key, where it asks for one
 * @throws RemoteError: unreachable, auth, html, redirect; path when what answers there is no known server
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
  const patience = { retries: 0, firstMs: PROBE_MS, stallMs: PROBE_MS, ...options };
  const probe = new Probe(server, patience, signal);
  const found = (kind: ServerKind, answer: unknown, prefix?: ''): Detected => ({
    server: { ...server, kind, ...(prefix !== undefined && { prefix }) },
    models: modelServerKind(kind).readModels(answer) ?? [],
  });

  let list: unknown = null;
  let owners: string[] | null = null;
  let problem: unknown = null;
  try {
    list = await probe.ask('/v1/models');
    owners = modelOwners(list);
  } catch (error) {
    if (!(error instanceof RemoteError && MAY_BE_ANOTHER_KIND.has(error.code))) throw error;
    problem = error;
  }
  if (owners) {
    const byName = ALL_KINDS.find((kind) => isNamed(kind, new URL(url).hostname, owners));
    if (byName && byName !== TRAINING) return found(byName, list);
  }
  for (const kind of ALL_KINDS) {
    const { probe: asked } = kindOf(kind).detection;
    const answer = asked && (await probe.tryAsk(asked.path));
    if (!asked || answer === null || !asked.matches(answer)) continue;
    if (kind === TRAINING) return { server: { ...server, kind }, models: [], training: readInfo(answer)! };
    return found(kind, await probe.tryAsk(modelServerKind(kind).modelsPath('/v1')));
  }
  if (owners) return found('openai', list);
  const bare = await probe.tryAsk('/models');
  if (modelOwners(bare)) return found('openai', bare, '');
  throw problem instanceof RemoteError && (problem.code === 'html' || problem.code === 'server')
    ? problem
    : new RemoteError('path', t('servers:detect.unknown', { url }));
}

function isNamed(kind: AnyKind, hostname: string, owners: readonly string[]): boolean {
  const { host, owner } = kindOf(kind).detection;
  return (host !== undefined && host === hostname) || (owner !== undefined && owners.includes(owner));
}

/** Asks each path of a server once. */
class Probe {
  readonly #answers = new Map<string, Promise<unknown>>();

  constructor(
    private readonly server: RemoteServer,
    private readonly options: ExchangeOptions,
    private readonly signal: AbortSignal,
  ) {}

  ask(path: string): Promise<unknown> {
    const known = this.#answers.get(path);
    if (known) return known;
    const answer = Exchange.open(this.server, this.server.url + path, {}, this.options, this.signal).then((exchange) =>
      exchange.json(),
    );
    this.#answers.set(path, answer);
    return answer;
  }

  /** For a path that may not exist: null then. @throws when nothing answers at all */
  async tryAsk(path: string): Promise<unknown> {
    try {
      return await this.ask(path);
    } catch (error) {
      if (error instanceof RemoteError && error.code !== 'unreachable' && error.code !== 'stalled') return null;
      throw error;
    }
  }
}
