/** @file A server that people already run: its kind and its address. */
import { t } from '../i18n';
import { RemoteError } from './errors';
import type { ServerKey } from './key';
import { COPIED_PATHS, modelServerKind, TRAINING, type AnyKind, type ServerKind } from './kinds';

/** A server that answers prompts. */
export interface RemoteServer {
  kind: ServerKind;
  /** Without a trailing slash and without `/v1`; see `serverUrl`. */
  url: string;
  /** The user's name for it. */
  label: string;
  /** Where its OpenAI paths begin, after `url`; `/v1` by default. */
  prefix?: '/v1' | '';
  key?: ServerKey | null;
}

/** A server of any kind, with its key. */
export type AnyServer = Omit<RemoteServer, 'kind'> & { kind: AnyKind };

export const isModelServer = (server: AnyServer): server is RemoteServer => server.kind !== TRAINING;

/**
 * The address that a user typed, as a server's `url`.
 * @throws RemoteError with a message for the user
 */
export function serverUrl(text: string): string {
  const typed = text.trim();
  // `new URL` would turn the space into %20 and ask a host that nobody meant.
  if (/\s/.test(typed)) throw new RemoteError('address', t('servers:address.spaces'));
  const isLocal = /^(?:localhost|127\.|\[::1\]|0\.0\.0\.0)/.test(typed);
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(typed) ? typed : `${isLocal ? 'http' : 'https'}://${typed}`;
  let url: URL;
  try {
    url = new URL(full);
  } catch {
    throw new RemoteError('address', t('servers:address.invalid'));
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new RemoteError('address', t('servers:address.scheme'));
  }
  if (!/^(?:\[[\da-f:.]+\]|[\w.-]+)$/i.test(url.hostname)) {
    throw new RemoteError('address', t('servers:address.invalid'));
  }
  if (url.username || url.password) throw new RemoteError('address', t('servers:address.password'));
  if (url.search) throw new RemoteError('address', t('servers:address.query'));
  const path = withoutEnd(url.pathname.replace(/\/+$/, '')).replace(/\/+$/, '');
  return url.origin + path;
}

function withoutEnd(path: string): string {
  const end = COPIED_PATHS.find((copied) => path.endsWith(copied));
  return end === undefined ? path : path.slice(0, -end.length);
}

export const chatUrl = ({ kind, url, prefix = '/v1' }: RemoteServer): string =>
  url + modelServerKind(kind).chatPath(prefix);

export const modelsUrl = ({ kind, url, prefix = '/v1' }: RemoteServer): string =>
  url + modelServerKind(kind).modelsPath(prefix);
