/**
 * @file The address bar as state. Pages live behind the hash (`#/train?task=sums`), because the app is served as plain
 * files under any base path, where nothing answers for other paths.
 */

export interface Route {
  /** First path segment: `train`, `chat`, `about`, … */
  page: string;
  params: URLSearchParams;
}

/** Reads `#/page?query`; anything else is the start page. */
export function parseHash(hash: string, start = 'train'): Route {
  const match = /^#\/([a-z0-9-]*)\/?(?:\?(.*))?$/i.exec(hash);
  // A route is replaced as a whole, so its parameters need not be reactive themselves.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  const params = new URLSearchParams(match?.[2] ?? '');
  return { page: match?.[1]?.toLowerCase() || start, params };
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

  /** Goes to a page, as a new history entry. */
  go(page: string, params?: URLSearchParams): void {
    location.hash = formatHash(page, params);
  }

  /** Changes the query of the current page in place: no history entry, no navigation. */
  replaceParams(params: URLSearchParams): void {
    const route = { page: this.route.page, params };
    history.replaceState(history.state, '', formatHash(route.page, params));
    this.route = route;
  }
}

export const router = new Router();
