/**
 * @file The address bar as state. The page is in the hash (`#/train?task=sums`), because the app is served as static files
 * under any base path, with no server that could answer for other paths.
 */

export interface Route {
  /** `train`, `chat`, `about` …; the whole hash if it isn't written like the address of a page. */
  page: string;
  params: URLSearchParams;
}

/** Reads `#/page?query`; an empty hash is the start page. */
export function parseHash(hash: string, start = 'train'): Route {
  const match = /^#?\/?([a-z0-9-]*)\/?(?:\?(.*))?$/i.exec(hash);
  // A route is replaced as a whole, so its parameters need not be reactive themselves.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  const params = new URLSearchParams(match?.[2] ?? '');
  if (!match) return { page: hash.slice(0, 200), params };
  return { page: match[1]?.toLowerCase() || start, params };
}

export function formatHash(page: string, params?: URLSearchParams): string {
  const query = params?.toString();
  return query ? `#/${page}?${query}` : `#/${page}`;
}

class Router {
  route = $state.raw<Route>(parseHash(location.hash));

  constructor() {
    addEventListener('hashchange', () => (this.route = parseHash(location.hash)));
  }

  /** Opens a page, as a new history entry. */
  go(page: string, params?: URLSearchParams): void {
    location.hash = formatHash(page, params);
  }

  /** Changes the query of the current page in place, without a history entry or a navigation. */
  replaceParams(params: URLSearchParams): void {
    this.#setParams(params, 'replaceState');
  }

  /** Changes the query of the current page as a new history entry, so that Back returns to the present one. */
  pushParams(params: URLSearchParams): void {
    if (params.toString() !== this.route.params.toString()) this.#setParams(params, 'pushState');
  }

  #setParams(params: URLSearchParams, change: 'pushState' | 'replaceState'): void {
    const route = { page: this.route.page, params };
    history[change](history.state, '', formatHash(route.page, params));
    this.route = route;
  }
}

export const router = new Router();
