/** @file A server that people already run: what kind it is and where. */
import { RemoteError } from './errors';
import type { ServerKey } from './key';

export const SERVER_KINDS = [
  'vllm',
  'sglang',
  'llamacpp',
  'ollama',
  'ollama-v1',
  'tgi',
  'deepseek',
  'transformers',
  'openai',
] as const;

export type ServerKind = (typeof SERVER_KINDS)[number];

/** The kind that trains and answers no prompt: a sidecar, see remote/ and sidecar.ts. */
export const TRAINING = 'tinythink-remote';

/** All that the Connect page knows. */
export type AnyKind = ServerKind | typeof TRAINING;
export const ALL_KINDS: readonly AnyKind[] = [...SERVER_KINDS, TRAINING];

export interface RemoteServer {
  kind: ServerKind;
  /** Without a trailing slash and without `/v1`; see `serverUrl`. */
  url: string;
  /** As the user calls it. */
  label: string;
  /** Where the OpenAI paths begin, after `url`; `/v1` where nothing is said. */
  prefix?: '/v1' | '';
  key?: ServerKey | null;
}

/** A server of any kind, with its key. */
export type AnyServer = Omit<RemoteServer, 'kind'> & { kind: AnyKind };

/** Narrows to the servers that answer prompts. */
export const isModelServer = (server: AnyServer): server is RemoteServer => server.kind !== TRAINING;

export const KIND_NAMES: Readonly<Record<AnyKind, string>> = {
  vllm: 'vLLM',
  sglang: 'SGLang',
  llamacpp: 'llama.cpp',
  ollama: 'Ollama',
  'ollama-v1': 'Ollama (OpenAI paths)',
  tgi: 'TGI',
  deepseek: 'DeepSeek API',
  transformers: 'transformers serve',
  openai: 'OpenAI-compatible',
  [TRAINING]: 'tinythink-remote (training)',
};

/** Where a server of that kind listens when nobody says otherwise. */
export const DEFAULT_URLS: Readonly<Record<AnyKind, string>> = {
  vllm: 'http://localhost:8000',
  sglang: 'http://localhost:30000',
  llamacpp: 'http://localhost:8080',
  ollama: 'http://localhost:11434',
  'ollama-v1': 'http://localhost:11434',
  tgi: 'http://localhost:3000',
  deepseek: 'https://api.deepseek.com',
  transformers: 'http://localhost:8000',
  openai: 'http://localhost:8000',
  [TRAINING]: 'http://localhost:8790',
};

/** Ends of addresses that people copy from a manual; the adapters add their own. */
const COPIED = /\/(?:v1|(?:v1\/)?(?:chat\/completions|models)|api\/(?:chat|generate|tags|version))$/;

/**
 * An address as the user typed it, as the adapters take it.
 * @throws RemoteError with a message for the user
 */
export function serverUrl(text: string): string {
  const typed = text.trim();
  const isLocal = /^(?:localhost|127\.|\[::1\]|0\.0\.0\.0)/.test(typed);
  const full = /^[a-z][a-z\d+.-]*:\/\//i.test(typed) ? typed : `${isLocal ? 'http' : 'https'}://${typed}`;
  let url: URL;
  try {
    url = new URL(full);
  } catch {
    throw new RemoteError('address', 'That is not an address; one looks like http://localhost:8000.');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new RemoteError('address', "A server's address begins with http:// or https://.");
  }
  if (url.username || url.password) {
    throw new RemoteError('address', 'The address holds a name or a password. Give a key beside the address instead.');
  }
  if (url.search) {
    throw new RemoteError(
      'address',
      'The address goes on after a question mark. Give a key beside the address instead.',
    );
  }
  const path = url.pathname.replace(/\/+$/, '').replace(COPIED, '').replace(/\/+$/, '');
  return url.origin + path;
}

export const isOllama = (kind: ServerKind): boolean => kind === 'ollama';

export function chatUrl({ kind, url, prefix = '/v1' }: RemoteServer): string {
  return isOllama(kind) ? `${url}/api/chat` : `${url}${prefix}/chat/completions`;
}

export function modelsUrl({ kind, url, prefix = '/v1' }: RemoteServer): string {
  if (isOllama(kind)) return `${url}/api/tags`;
  return kind === 'tgi' ? `${url}/info` : `${url}${prefix}/models`;
}
