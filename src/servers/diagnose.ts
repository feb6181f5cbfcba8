/**
 * @file Why a server can't be reached from this page. To a page "Failed to fetch" is all there is: a dead server, a rule of
 * the server's (CORS), of the page's (mixed content) and of the user's (Local Network Access) look alike. They are told
 * apart by asking in several ways, and each comes with what mends it.
 */
import { abortError } from '../base/errors';
import { detectServer, type Detected } from './detect';
import { RemoteError } from './errors';
import type { ExchangeOptions } from './exchange';
import { corsRemedies, keyRemedy, kindOfPort, shellWord, type Remedy } from './remedies';
import { KIND_NAMES, serverUrl, TRAINING, type AnyKind } from './server';

export type DiagnosisCause =
  | 'ok'
  /** Not an address, or not a key. */
  | 'address'
  | 'offline'
  /** A page over https may not ask over http. */
  | 'mixed'
  /** Local Network Access: the user, or a rule, said no. */
  | 'permission'
  | 'dead'
  | 'cors'
  | 'auth'
  /** Something answers, but no model server. */
  | 'path'
  /** A server answers, but not well: overloaded, failing. */
  | 'answer';

export interface Diagnosis {
  cause: DiagnosisCause;
  /** One or two sentences for the user. */
  message: string;
  /** What mends it, the likeliest first. */
  remedies: Remedy[];
  /** Only with `ok`. */
  found?: Detected;
}

/** The page that asks, as far as it matters. */
export interface AskingPage {
  /** As `location.origin`. */
  origin: string;
  onLine: boolean;
  /** Whether the browser knows a permission of that name, and its state; null when it doesn't. */
  permission(name: string): Promise<PermissionState | null>;
  fetch: typeof fetch;
}

/** This page. Ask on a click: the browser may put a question to the user. */
export function thisPage(): AskingPage {
  return {
    origin: location.origin,
    onLine: navigator.onLine,
    permission: async (name) => {
      try {
        return (await navigator.permissions.query({ name: name as PermissionName })).state;
      } catch {
        return null;
      }
    },
    fetch: (...ask) => fetch(...ask),
  };
}

export type AddressSpace = 'loopback' | 'local' | 'public';

/** Where a host is, by its name: this machine, this network, or anywhere. A name may still lead somewhere else. */
export function addressSpace(hostname: string): AddressSpace {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (host === 'localhost' || host.endsWith('.localhost') || /^127\.\d+\.\d+\.\d+$/.test(host) || host === '::1') {
    return 'loopback';
  }
  const isPrivate =
    /^(?:10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+$/.test(host) ||
    /^(?:f[cd][\da-f]{2}|fe[89ab][\da-f]):/.test(host);
  return isPrivate || host.endsWith('.local') || !/[.:]/.test(host) ? 'local' : 'public';
}

/** Milliseconds for each way of asking. */
const PROBE_MS = 8000;
/** What each kind of server lets anyone read, where CORS does. */
const OPEN_PATHS = ['/health', '/api/version', '/info', '/'];

/**
 * Asks a server in several ways and says what is wrong.
 * @param kind as the user has it; guessed from the port where null
 * @throws AbortError
 */
export async function diagnose(
  address: string,
  kind: AnyKind | null,
  key: string,
  page: AskingPage,
  signal: AbortSignal = new AbortController().signal,
  options: Omit<ExchangeOptions, 'fetch'> = {},
): Promise<Diagnosis> {
  let url: URL;
  try {
    url = new URL(serverUrl(address));
  } catch (error) {
    return { cause: 'address', message: (error as Error).message, remedies: [] };
  }
  if (url.hostname === '0.0.0.0') {
    const message =
      '0.0.0.0 is where a server listens, not where it is found. On the same machine, it is at localhost.';
    return {
      cause: 'address',
      message,
      remedies: [{ text: 'Ask this address instead.', command: atHost(url, 'localhost') }],
    };
  }
  const here = new URL(page.origin);
  const space = addressSpace(url.hostname);
  const isBlocked = here.protocol === 'https:' && url.protocol === 'http:';
  if (!page.onLine && space === 'public') {
    return { cause: 'offline', message: 'This device has no network just now.', remedies: [] };
  }
  if (isBlocked && space === 'public') return mixed(url);

  try {
    const found = await detectServer(
      url.href,
      key,
      { firstMs: PROBE_MS, stallMs: PROBE_MS, ...options, fetch: page.fetch },
      signal,
    );
    const count = found.models.length;
    const has = found.training
      ? 'is ready to train'
      : count === 0
        ? 'names no models'
        : count === 1
          ? `has ${found.models[0]!.id}`
          : `has ${count} models`;
    return { cause: 'ok', message: `${KIND_NAMES[found.server.kind]} answers and ${has}.`, remedies: [], found };
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    const answered = asAnswer(error, kind ?? kindOfPort(url.href));
    if (answered) return answered;
  }

  const likely = kind ?? kindOfPort(url.href);
  const origin = page.origin;
  const base = url.href.replace(/\/+$/, '');
  for (const path of OPEN_PATHS) {
    if (!(await reaches(page.fetch, base + path, 'cors', signal))) continue;
    // Pages may ask, so it is the key, or that one is missing: some servers refuse without the headers of CORS.
    return key.trim() === ''
      ? {
          cause: 'auth',
          message: 'The server lets this page ask but refuses to list its models, probably for want of a key.',
          remedies: [keyRemedy(likely)],
        }
      : {
          cause: 'auth',
          message:
            'The server lets this page ask, but not with this key: the key is wrong, or pages may not send keys there.',
          remedies: [keyRemedy(likely), ...corsRemedies(likely, origin, true)],
        };
  }
  if (await reaches(page.fetch, `${base}/`, 'no-cors', signal)) {
    return {
      cause: 'cors',
      message: `A server runs at ${url.host}, but it does not let pages of ${origin} read its answers (CORS).`,
      remedies: corsRemedies(likely, origin, key.trim() !== ''),
    };
  }
  return (await refusedByBrowser(url, space, page)) ?? dead(url, space, likely, isBlocked);
}

/** What a server's answer says by itself; null when there was none. */
function asAnswer(error: RemoteError, kind: AnyKind): Diagnosis | null {
  const { code, message, status } = error;
  if (code === 'auth') return { cause: 'auth', message, remedies: [keyRemedy(kind)] };
  if (code === 'path' || code === 'html' || code === 'redirect') return { cause: 'path', message, remedies: [] };
  if (code === 'address') return { cause: 'address', message, remedies: [] };
  // Silence may be the browser's, while it waits for the user; a gateway's answer is one.
  return (code === 'unreachable' || code === 'stalled') && status === undefined
    ? null
    : { cause: 'answer', message, remedies: [] };
}

/** Local Network Access (Chrome from 142 on), which asks the user, and only for pages over https. */
async function refusedByBrowser(url: URL, space: AddressSpace, page: AskingPage): Promise<Diagnosis | null> {
  const here = new URL(page.origin);
  if (space === 'public' || addressSpace(here.hostname) !== 'public') return null;
  const where = space === 'loopback' ? 'apps on this device' : 'devices on your network';
  const [state = null] = (
    await Promise.all(
      [space === 'loopback' ? 'loopback-network' : 'local-network', 'local-network-access'].map((name) =>
        page.permission(name),
      ),
    )
  ).filter((each) => each !== null);
  if (state !== null && here.protocol !== 'https:') {
    return {
      cause: 'permission',
      message: `The browser lets only pages over https ask ${where}, and this one came over http.`,
      remedies: [{ text: 'Open this page over https, or from this device.', command: 'npm start' }],
    };
  }
  if (state === 'denied' || state === 'prompt') {
    const isAsked = state === 'prompt';
    return {
      cause: 'permission',
      message: isAsked
        ? `The browser asks before a page may reach ${where}, and the question has no answer yet.`
        : `The browser keeps this page from ${where}: the question was answered with no.`,
      remedies: [
        isAsked
          ? { text: 'Try again and allow it when the browser asks. If nothing runs there, it asks all the same.' }
          : {
              text: 'Allow it: the icon left of the address, then Site settings, then Local network access (or Apps on device).',
            },
      ],
    };
  }
  if (state === null && here.protocol === 'https:' && url.protocol === 'http:' && space === 'local') return mixed(url);
  return null;
}

function mixed(url: URL): Diagnosis {
  const port = url.port || '80';
  return {
    cause: 'mixed',
    message: `This page came over https, so the browser lets it ask no server over plain http (mixed content), but for this device's own.`,
    remedies: [
      {
        text: 'Bring the server here through a tunnel, and ask http://localhost instead.',
        command: `ssh -N -L ${port}:localhost:${port} ${shellWord(url.hostname)}`,
      },
      {
        text: 'Or put https in front of it, on a name that leads there.',
        command: `caddy reverse-proxy --from ${shellWord(url.hostname)} --to localhost:${port}`,
      },
      { text: 'Or open this page from your own machine, over http.', command: 'npm start' },
    ],
  };
}

/** What `curl` asks for, where it isn't the list of models. */
const ASKED: Partial<Record<AnyKind, string>> = { ollama: '/api/tags', [TRAINING]: '/info' };

function dead(url: URL, space: AddressSpace, kind: AnyKind, isBlocked: boolean): Diagnosis {
  const remedies: Remedy[] = [
    {
      text: 'See whether it answers outside of the browser.',
      command: `curl -i ${shellWord(`${url.href.replace(/\/+$/, '')}${ASKED[kind] ?? '/v1/models'}`)}`,
    },
  ];
  if (space === 'local') remedies.push(listenRemedy(kind));
  if (url.protocol === 'https:') {
    remedies.push({
      text: 'If its certificate is its own: open the address in a tab, and see what the browser says.',
      command: url.href,
    });
  }
  if (isBlocked && space === 'loopback') {
    remedies.push({
      text: 'Safari lets no page over https ask this device. Use another browser, or open this page from your machine.',
    });
  }
  return {
    cause: 'dead',
    message: `Nothing answers at ${url.host}: the server isn't running, or is somewhere else.`,
    remedies,
  };
}

/** Servers that listen to their own machine alone when nobody says otherwise. */
function listenRemedy(kind: AnyKind): Remedy {
  const text = 'On another machine, it must listen to more than itself: start it with this.';
  if (kind === 'ollama' || kind === 'ollama-v1') return { text, command: 'OLLAMA_HOST=0.0.0.0' };
  if (kind === TRAINING) return { text, command: '--host 0.0.0.0 --token-file FILE' };
  return { text, command: kind === 'tgi' ? '--hostname 0.0.0.0' : '--host 0.0.0.0' };
}

const atHost = (url: URL, hostname: string): string =>
  Object.assign(new URL(url), { hostname }).href.replace(/\/+$/, '');

/** Whether anything comes back. `no-cors` gives nothing to read, and no key is sent with either. */
async function reaches(ask: typeof fetch, url: string, mode: RequestMode, signal: AbortSignal): Promise<boolean> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const timer = setTimeout(stop, PROBE_MS);
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) throw abortError('The diagnosis was cancelled.');
    const init: RequestInit = {
      mode,
      signal: abort.signal,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    };
    const response = await ask(url, init);
    void response.body?.cancel().catch(() => {});
    return true;
  } catch {
    if (signal.aborted) throw abortError('The diagnosis was cancelled.');
    return false;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
