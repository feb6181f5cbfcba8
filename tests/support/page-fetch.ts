/**
 * @file fetch as a page has it, in Node: the same-origin policy with preflights (https://fetch.spec.whatwg.org), mixed
 * content, and Local Network Access. Every refusal is the same TypeError, as in a browser.
 */
import { addressSpace } from '../../src/servers/diagnose';

export interface PageRules {
  origin: string;
  /** What the user said when asked for the local network; absent: a browser that doesn't ask. */
  localNetwork?: PermissionState;
}

export function pageFetch({ origin, localNetwork }: PageRules): typeof fetch {
  const here = new URL(origin);
  return async (input, init = {}) => {
    const url = new URL(String(input));
    const space = addressSpace(url.hostname);
    const fail = () => new TypeError('Failed to fetch');
    const isForeign = space !== 'public' && addressSpace(here.hostname) === 'public';
    if (isForeign && localNetwork !== undefined && localNetwork !== 'granted') throw fail();
    const isMixed = here.protocol === 'https:' && url.protocol === 'http:';
    if (isMixed && space !== 'loopback' && !(space === 'local' && localNetwork === 'granted')) throw fail();
    const headers = new Headers(init.headers);
    const signal = init.signal ?? null;
    if (init.mode === 'no-cors') {
      await fetch(url, { method: 'GET', signal });
      return Object.defineProperty(Response.error(), 'type', { value: 'opaque' });
    }
    const unsafe = [...headers]
      .map(([name]) => name)
      .filter((name) => name === 'authorization' || name === 'content-type');
    if (unsafe.length > 0) {
      const ask = {
        Origin: origin,
        'Access-Control-Request-Method': init.method ?? 'GET',
        'Access-Control-Request-Headers': unsafe.join(','),
      };
      const preflight = await fetch(url, { method: 'OPTIONS', headers: ask, signal });
      const allowed = (preflight.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/\s*,\s*/);
      // The star covers every header but Authorization, says the standard; Chrome is more lenient.
      const covers = (name: string) => allowed.includes(name) || (name !== 'authorization' && allowed.includes('*'));
      if (!preflight.ok || !mayRead(preflight, origin) || !unsafe.every(covers)) throw fail();
    }
    headers.set('Origin', origin);
    const response = await fetch(url, { ...init, headers });
    if (!mayRead(response, origin)) throw fail();
    return response;
  };
}

const mayRead = ({ headers }: Response, origin: string): boolean =>
  ['*', origin].includes(headers.get('access-control-allow-origin') ?? '');
