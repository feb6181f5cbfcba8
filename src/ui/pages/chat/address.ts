/** @file The chat's part of the address: `#/chat?model=…&c=…`. */

/** The parameters with some changed; null removes one. A prompt that a link brought along is used up. */
export function withParams(params: URLSearchParams, changes: Record<string, string | null>): URLSearchParams {
  const changed = new URLSearchParams(params);
  changed.delete('prompt');
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return changed;
}
