/** @file On which server each run lives that was watched here, so that a saved one leads back to it. Addresses, no keys. */
import * as v from 'valibot';

const KEY = 'tinythink:whereabouts';
/** The oldest are forgotten. */
const MOST = 200;

const schema = v.record(v.string(), v.pipe(v.string(), v.maxLength(2000)));

export class RunLocations {
  constructor(private readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined = local()) {}

  /** The server's address; null where it isn't known. */
  of(run: string): string | null {
    const all = this.#read();
    return Object.hasOwn(all, run) ? all[run]! : null;
  }

  note(run: string, url: string): void {
    const others = Object.entries(this.#read()).filter(([id]) => id !== run);
    const kept = Object.fromEntries([...others.slice(1 - MOST), [run, url]]);
    try {
      this.storage?.setItem(KEY, JSON.stringify(kept));
    } catch {
      // Blocked or full: the server's own list still has it.
    }
  }

  #read(): Record<string, string> {
    try {
      return v.parse(schema, JSON.parse(this.storage?.getItem(KEY) ?? '{}'));
    } catch {
      return {};
    }
  }
}

function local(): Storage | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}
