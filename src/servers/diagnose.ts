/**
 * @file Finds out why this page can't reach a server. The browser only says "Failed to fetch", whether the server is down,
 * does not allow the page (CORS), uses http while the page uses https (mixed content), or the user has not given permission
 * (Local Network Access). Several requests tell these apart, and each cause comes with its remedies.
 */
import { abortError } from '../base/errors';
import { t } from '../i18n';
import { shellWord } from './commands';
import { detectServer, type Detected } from './detect';
import { RemoteError } from './errors';
import type { ExchangeOptions } from './exchange';
import { kindOf, kindOfPort, type AnyKind } from './kinds';
import type { Remedy } from './kinds/kind';
import { serverUrl } from './server';

export type DiagnosisCause =
  | 'ok'
  /** The address or the key is invalid. */
  | 'address'
  | 'offline'
  /** A page over https can't send requests over http. */
  | 'mixed'
  /** The browser needs the user's permission (Local Network Access). */
  | 'permission'
  | 'dead'
  | 'cors'
  | 'auth'
  /** Something answers, but it isn't a known server. */
  | 'path'
  /** A server answers with an error: it is overloaded or failing. */
  | 'answer';

export interface Diagnosis {
  cause: DiagnosisCause;
  /** One or two sentences for the user. */
  message: string;
  /** How to fix it, the most likely way first. */
  remedies: Remedy[];
  /** The server, when the cause is `ok`. */
  found?: Detected;
}

/** What matters about the page that sends the requests. */
export interface BrowserPage {
  /** As `location.origin`. */
  origin: string;
  onLine: boolean;
  /** The state of a permission; null when the browser doesn't know it. */
  permission(name: string): Promise<PermissionState | null>;
  fetch: typeof fetch;
}

/** This page. Only a click should lead to a request, since the browser may ask the user for permission. */
export function thisPage(): BrowserPage {
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
    fetch: (...request) => fetch(...request),
  };
}

export type AddressSpace = 'loopback' | 'local' | 'public';

/** Where a host is, judged by its name: on this device, in the local network, or on the internet. */
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

/** Milliseconds for each request. */
const PROBE_MS = 8000;
/** Paths that servers let anyone read, with a key or without. */
const OPEN_PATHS = ['/health', '/api/version', '/info', '/'];

/**
 * Sends several requests to a server and says what is wrong.
 * @param kind what the user chose; null to guess it from the port
 * @throws AbortError
 */
export async function diagnose(
  address: string,
  kind: AnyKind | null,
  key: string,
  page: BrowserPage,
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
    return {
      cause: 'address',
      message: t('servers:diagnosis.anyAddress'),
      remedies: [{ text: t('servers:diagnosis.useLocalhost'), command: atHost(url, 'localhost') }],
    };
  }
  const here = new URL(page.origin);
  const space = addressSpace(url.hostname);
  const isBlocked = here.protocol === 'https:' && url.protocol === 'http:';
  if (!page.onLine && space === 'public') {
    return { cause: 'offline', message: t('servers:diagnosis.offline'), remedies: [] };
  }
  if (isBlocked && space === 'public') return mixed(url);

  try {
    const found = await detectServer(
      url.href,
      key,
      { firstMs: PROBE_MS, stallMs: PROBE_MS, ...options, fetch: page.fetch },
      signal,
    );
    return { cause: 'ok', message: foundMessage(found), remedies: [], found };
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    const answered = asAnswer(error, kind ?? kindOfPort(url.href));
    if (answered) return answered;
  }

  const likely = kind ?? kindOfPort(url.href);
  const { keyRemedy, corsRemedies } = kindOf(likely);
  const { origin } = page;
  const base = url.href.replace(/\/+$/, '');
  for (const path of OPEN_PATHS) {
    if (!(await reaches(page.fetch, base + path, 'cors', signal))) continue;
    // The page is allowed, so the key must be wrong or missing: some servers send refusals without CORS headers.
    return key.trim() === ''
      ? { cause: 'auth', message: t('servers:diagnosis.keyMissing'), remedies: [keyRemedy] }
      : {
          cause: 'auth',
          message: t('servers:diagnosis.keyWrong'),
          remedies: [keyRemedy, ...corsRemedies(origin, true)],
        };
  }
  if (await reaches(page.fetch, `${base}/`, 'no-cors', signal)) {
    return {
      cause: 'cors',
      message: t('servers:diagnosis.cors', { host: url.host, origin }),
      remedies: corsRemedies(origin, key.trim() !== ''),
    };
  }
  return (await refusedByBrowser(url, space, page)) ?? dead(url, space, likely, isBlocked);
}

function foundMessage({ server, models, training }: Detected): string {
  const kind = kindOf(server.kind).name;
  if (training) return t('servers:diagnosis.readyToTrain', { kind });
  const [only, second] = models;
  if (only && !second) return t('servers:diagnosis.hasModel', { kind, model: only.id });
  return only
    ? t('servers:diagnosis.hasModels', { kind, count: models.length })
    : t('servers:diagnosis.noModels', { kind });
}

/** The diagnosis when the server's answer says enough; null when there was no answer. */
function asAnswer(error: RemoteError, kind: AnyKind): Diagnosis | null {
  const { code, message, status } = error;
  if (code === 'auth') return { cause: 'auth', message, remedies: [kindOf(kind).keyRemedy] };
  if (code === 'path' || code === 'html' || code === 'redirect') return { cause: 'path', message, remedies: [] };
  if (code === 'address') return { cause: 'address', message, remedies: [] };
  // Without a status, the silence may be the browser's own, while it waits for the user. A gateway's answer has a status.
  return (code === 'unreachable' || code === 'stalled') && status === undefined
    ? null
    : { cause: 'answer', message, remedies: [] };
}

/** Local Network Access (Chrome 142 and later), which asks the user for permission, and only for pages over https. */
async function refusedByBrowser(url: URL, space: AddressSpace, page: BrowserPage): Promise<Diagnosis | null> {
  const here = new URL(page.origin);
  if (space === 'public' || addressSpace(here.hostname) !== 'public') return null;
  const where = space === 'loopback' ? 'device' : 'network';
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
      message: t(`servers:diagnosis.httpsOnly.${where}`),
      remedies: [{ text: t('servers:diagnosis.openOverHttps'), command: 'npm start' }],
    };
  }
  if (state === 'denied' || state === 'prompt') {
    const isAsked = state === 'prompt';
    return {
      cause: 'permission',
      message: t(`servers:diagnosis.${isAsked ? 'permissionNeeded' : 'permissionDenied'}.${where}`),
      remedies: [{ text: t(`servers:diagnosis.${isAsked ? 'allowWhenAsked' : 'allowInSettings'}`) }],
    };
  }
  if (state === null && here.protocol === 'https:' && url.protocol === 'http:' && space === 'local') return mixed(url);
  return null;
}

function mixed(url: URL): Diagnosis {
  const port = url.port || '80';
  return {
    cause: 'mixed',
    message: t('servers:diagnosis.mixed'),
    remedies: [
      {
        text: t('servers:diagnosis.useTunnel'),
        command: `ssh -N -L ${port}:localhost:${port} ${shellWord(url.hostname)}`,
      },
      {
        text: t('servers:diagnosis.useHttps'),
        command: `caddy reverse-proxy --from ${shellWord(url.hostname)} --to localhost:${port}`,
      },
      { text: t('servers:diagnosis.openLocally'), command: 'npm start' },
    ],
  };
}

function dead(url: URL, space: AddressSpace, kind: AnyKind, isBlocked: boolean): Diagnosis {
  const remedies: Remedy[] = [
    {
      text: t('servers:diagnosis.tryCurl'),
      command: `curl -i ${shellWord(url.href.replace(/\/+$/, '') + kindOf(kind).statusPath)}`,
    },
  ];
  if (space === 'local') {
    remedies.push({ text: t('servers:diagnosis.listen'), command: kindOf(kind).listenOption });
  }
  if (url.protocol === 'https:') {
    remedies.push({
      text: t('servers:diagnosis.certificate'),
      command: url.href,
    });
  }
  if (isBlocked && space === 'loopback') {
    remedies.push({ text: t('servers:diagnosis.safari') });
  }
  return {
    cause: 'dead',
    message: t('servers:diagnosis.dead', { host: url.host }),
    remedies,
  };
}

const atHost = (url: URL, hostname: string): string =>
  Object.assign(new URL(url), { hostname }).href.replace(/\/+$/, '');

/** Whether there is any response. `no-cors` gives a response that can't be read; the key is never sent. */
async function reaches(send: typeof fetch, url: string, mode: RequestMode, signal: AbortSignal): Promise<boolean> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  const timer = setTimeout(stop, PROBE_MS);
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) throw abortError(t('servers:http.cancelled'));
    const init: RequestInit = {
      mode,
      signal: abort.signal,
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      cache: 'no-store',
    };
    const response = await send(url, init);
    void response.body?.cancel().catch(() => {});
    return true;
  } catch {
    if (signal.aborted) throw abortError(t('servers:http.cancelled'));
    return false;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
