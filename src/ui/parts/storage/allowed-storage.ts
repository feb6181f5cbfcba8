/** @file The browser's localStorage, where it is allowed. */

/** Undefined where the browser blocks storage: some refuse even access to the property. */
export function allowedStorage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}
