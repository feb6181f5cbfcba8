/** @file Jinja's filters for lists and dictionaries. */
import type { Filter, FilterArguments } from './filters';
import { attributePath } from '../members';
import type { Budget } from '../operators';
import { applyTest } from './tests';
import {
  compare,
  equal,
  isDict,
  iterate,
  itemsOf,
  str,
  TemplateError,
  truth,
  Tuple,
  typeName,
  Undefined,
  characters,
  type Value,
} from '../values';
import { operate } from '../operators';

type Apply = (name: string, value: Value, args: readonly Value[], budget: Budget) => Value;

/** Upper and lower case are one, unless a filter is told otherwise. */
const folded = (value: Value, caseSensitive: boolean): Value =>
  typeof value === 'string' && !caseSensitive ? value.toLowerCase() : value;

/** The value to order or group by: of an attribute, where one is named; of several, where they have commas. */
function keyOf(value: Value, path: Value | undefined, caseSensitive: boolean, budget: Budget): Value {
  if (path === undefined || path === null) return folded(value, caseSensitive);
  const paths = typeof path === 'string' ? path.split(',') : [path];
  const keys = paths.map((each) => folded(attributePath(value, each, budget), caseSensitive));
  // As a list even where it is one: items that all lack the attribute are equal then.
  return new Tuple(keys);
}

function sorted(items: readonly Value[], key: (value: Value) => Value, reverse: boolean): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => (reverse ? -1 : 1) * compare(a.key, b.key));
  return keyed.map(({ item }) => item);
}

/** `select`, `reject` and the same by an attribute. */
const selecting =
  (wanted: boolean, byAttribute: boolean): Filter =>
  (value, { args, budget }) => {
    const [path, ...rest] = byAttribute ? args : [null, ...args];
    const [test, ...testArgs] = rest;
    // Jinja doesn't look at what is false, and so takes None for an empty list.
    if (!truth(value)) return [];
    return [...iterate(value)].filter((item) => {
      budget.step();
      const tested = byAttribute ? attributePath(item, path!, budget) : item;
      return (test === undefined ? truth(tested) : applyTest(str(test), tested, testArgs)) === wanted;
    });
  };

const extreme =
  (sign: number): Filter =>
  (value, { get, budget }) => {
    const caseSensitive = truth(get(0, 'case_sensitive') ?? false);
    const key = (item: Value) => keyOf(item, get(1, 'attribute'), caseSensitive, budget);
    let best: Value | undefined;
    for (const item of iterate(value)) {
      if (best === undefined || sign * compare(key(item), key(best)) > 0) best = item;
    }
    return best ?? new Undefined('No aggregated item, sequence was empty.');
  };

const mapped =
  (apply: Apply): Filter =>
  (value, { args, keywords, budget }) => {
    const path = keywords.get('attribute');
    const [name, ...rest] = args;
    if (path === undefined && name === undefined) throw new TemplateError('map requires a filter argument');
    if (!truth(value)) return [];
    return [...iterate(value)].map((item) => {
      budget.step();
      if (path === undefined) return apply(str(name!), item, rest, budget);
      const found = attributePath(item, path, budget);
      return found instanceof Undefined ? (keywords.get('default') ?? found) : found;
    });
  };

function batch(value: Value, { get }: FilterArguments): Value {
  const size = Math.max(1, Number(str(get(0, 'linecount') ?? 1)));
  const fill = get(1, 'fill_with') ?? null;
  const items = [...iterate(value)];
  const rows: Value[][] = [];
  for (let at = 0; at < items.length; at += size) rows.push(items.slice(at, at + size));
  if (fill !== null) while (rows.length > 0 && rows.at(-1)!.length < Math.min(size, 10_000)) rows.at(-1)!.push(fill);
  return rows;
}

function sliced(value: Value, { get }: FilterArguments): Value {
  const items = [...iterate(value)];
  const count = Math.min(Math.max(1, Number(str(get(0, 'slices') ?? 1))), 10_000);
  const fill = get(1, 'fill_with') ?? null;
  const each = Math.floor(items.length / count);
  const longer = items.length % count;
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const row = items.slice(at, (at += each + (i < longer ? 1 : 0)));
    if (fill !== null && i >= longer && longer > 0) row.push(fill);
    return row;
  });
}

function groupBy(value: Value, { get, budget }: FilterArguments): Value {
  const path = get(0, 'attribute') ?? '';
  const missing = get(1, 'default');
  const caseSensitive = truth(get(2, 'case_sensitive') ?? false);
  const plain = (item: Value) => {
    const found = attributePath(item, path, budget);
    return found instanceof Undefined && missing !== undefined ? missing : found;
  };
  const groups: { key: Value; shown: Value; items: Value[] }[] = [];
  for (const item of sorted([...iterate(value)], (each) => folded(plain(each), caseSensitive), false)) {
    const key = folded(plain(item), caseSensitive);
    const last = groups.at(-1);
    if (last && equal(last.key, key)) last.items.push(item);
    else groups.push({ key, shown: plain(item), items: [item] });
  }
  return groups.map(({ shown, items }) => new Tuple([shown, items]));
}

function dictSort(value: Value, { get }: FilterArguments): Value {
  if (!isDict(value)) throw new TemplateError(`'${typeName(value)}' object has no attribute 'items'`);
  const caseSensitive = truth(get(0, 'case_sensitive') ?? false);
  const at = str(get(1, 'by') ?? 'key') === 'value' ? 1 : 0;
  const pairs = [...value].map((pair) => new Tuple(pair));
  return sorted(pairs, (pair) => folded(itemsOf(pair)![at]!, caseSensitive), truth(get(2, 'reverse') ?? false));
}

/** @param apply applies a filter by its name, for `map` */
export function listFilters(apply: Apply): Record<string, Filter> {
  return {
    list: (value) => [...iterate(value)],
    first: (value) => [...iterate(value)][0] ?? firstOrNone(value, 'first'),
    last: (value) => [...iterate(value)].at(-1) ?? firstOrNone(value, 'last'),
    reverse: (value) =>
      typeof value === 'string' ? characters(value).reverse().join('') : [...iterate(value)].reverse(),
    join: (value, { get, budget }) => {
      const path = get(1, 'attribute') ?? null;
      const items = [...iterate(value)].map((item) => str(path === null ? item : attributePath(item, path, budget)));
      const separator = str(get(0, 'd') ?? '');
      budget.room(separator.length * items.length, null);
      return items.join(separator);
    },
    sort: (value, { get, budget }) => {
      const caseSensitive = truth(get(1, 'case_sensitive') ?? false);
      const key = (item: Value) => keyOf(item, get(2, 'attribute'), caseSensitive, budget);
      return sorted([...iterate(value)], key, truth(get(0, 'reverse') ?? false));
    },
    unique: (value, { get, budget }) => {
      const caseSensitive = truth(get(0, 'case_sensitive') ?? false);
      const seen: Value[] = [];
      return [...iterate(value)].filter((item) => {
        const key = keyOf(item, get(1, 'attribute'), caseSensitive, budget);
        budget.step(seen.length);
        if (seen.some((each) => equal(each, key))) return false;
        seen.push(key);
        return true;
      });
    },
    sum: (value, { get, budget }) => {
      const path = get(0, 'attribute') ?? null;
      const items = [...iterate(value)].map((item) => (path === null ? item : attributePath(item, path, budget)));
      return items.reduce((total, item) => operate('+', total, item, budget), get(1, 'start') ?? 0);
    },
    min: extreme(-1),
    max: extreme(1),
    map: mapped(apply),
    select: selecting(true, false),
    reject: selecting(false, false),
    selectattr: selecting(true, true),
    rejectattr: selecting(false, true),
    batch,
    slice: sliced,
    groupby: groupBy,
    dictsort: dictSort,
    random: (value) => [...iterate(value)][0] ?? new Undefined('No random item, sequence was empty.'),
  };
}

/** An item that is None is an item; only an empty list has none. */
const firstOrNone = (value: Value, which: string): Value =>
  [...iterate(value)].length > 0 ? null : new Undefined(`No ${which} item, sequence was empty.`);
