/** @file The parameters of the Chat page's address: `#/chat?model=…&c=…`. */

/** Changes some parameters; null removes one. The prompt of a link is removed too, because it was used. */
export function withParams(params: URLSearchParams, changes: Record<string, string | null>): URLSearchParams {
  const changed = new URLSearchParams(params);
  changed.delete('prompt');
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return changed;
}
