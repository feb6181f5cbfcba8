/** @file Command-line options: `--name value` and `--flag`, with clear errors. */

type Spec =
  | { type: 'string'; required?: boolean; default?: string }
  | { type: 'number'; required?: boolean; default?: number }
  | { type: 'flag' };

type Value<S extends Spec> = S extends { type: 'flag' }
  ? boolean
  : S extends { type: 'number' }
    ? S extends { required: true } | { default: number }
      ? number
      : number | undefined
    : S extends { required: true } | { default: string }
      ? string
      : string | undefined;

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError naming an unknown, missing or malformed option */
export function parseOptions<T extends Record<string, Spec>>(
  args: readonly string[],
  specs: T,
): { [K in keyof T]: Value<T[K]> } {
  const values: Record<string, string | number | boolean | undefined> = {};
  for (const [name, spec] of Object.entries(specs)) values[name] = spec.type === 'flag' ? false : spec.default;
  const known = Object.keys(specs).map((name) => `--${name}`);
  for (let i = 0; i < args.length; i++) {
    const [key = '', inline] = args[i]!.split(/=(.*)/s);
    const name = key.slice(2);
    const spec = key.startsWith('--') && Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (!spec) throw new UsageError(`unknown option ${args[i]}; this command takes ${known.join(', ')}`);
    if (spec.type === 'flag') {
      values[name] = true;
      continue;
    }
    const text = inline ?? args[++i];
    if (text === undefined) throw new UsageError(`${key} needs a value`);
    values[name] = spec.type === 'number' ? numberOf(key, text) : text;
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.type !== 'flag' && spec.required && values[name] === undefined)
      throw new UsageError(`--${name} is missing`);
  }
  return values as { [K in keyof T]: Value<T[K]> };
}

function numberOf(key: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value))
    throw new UsageError(`${key} takes a number, not ${JSON.stringify(text)}`);
  return value;
}
