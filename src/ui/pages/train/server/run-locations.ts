/** @file Remembers on which server each watched run lives, so that a saved run leads back to it. Addresses only, no keys. */
import * as v from 'valibot';

const KEY = 'tinythink:run-locations';
/** Older ones are forgotten. */
const MAX_RUNS = 200;

const schema = v.record(v.string(), v.pipe(v.string(), v.maxLength(2000)));

export class RunLocations {
  constructor(private readonly storage: Pick<Storage, 'getItem' | 'setItem'> | undefined = local()) {}

  /** The address of a run's server; null when it isn't known. */
  of(run: string): string | null {
    const all = this.#read();
    return Object.hasOwn(all, run) ? all[run]! : null;
  }

  /** Remembers the server of a run. */
  note(run: string, url: string): void {
    const others = Object.entries(this.#read()).filter(([id]) => id !== run);
    const kept = Object.fromEntries([...others.slice(1 - MAX_RUNS), [run, url]]);
    try {
      this.storage?.setItem(KEY, JSON.stringify(kept));
    } catch {
      // Errors are ignored: the run is still in the server's own list.
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
