/** @file Jinja's filters: what may stand behind `|`. */
import { toJson } from './json';
import { attributePath } from '../members';
import { listFilters } from './list-filters';
import { percent, type Budget } from '../operators';
import { capitalize, replaceText, strip } from './string-methods';
import {
  characters,
  Float,
  isDict,
  isNumber,
  iterate,
  itemsOf,
  lengthOf,
  numberOf,
  repr,
  str,
  TemplateError,
  truth,
  Tuple,
  typeName,
  Undefined,
  type Keywords,
  type Value,
} from '../values';

/** A filter's arguments by name or by place. */
export interface FilterArguments {
  args: readonly Value[];
  keywords: Keywords;
  budget: Budget;
  /** The argument at a place, or of that name; undefined when it isn't given. */
  get(at: number, name: string): Value | undefined;
}

export type Filter = (value: Value, given: FilterArguments) => Value;

const numeric = (value: Value): number => {
  if (value instanceof Undefined) throw new TemplateError(value.message);
  if (isNumber(value)) return numberOf(value);
  throw new TemplateError(`a number is needed, not ${typeName(value)}`);
};

const textFilters: Record<string, Filter> = {
  upper: (value) => str(value).toUpperCase(),
  lower: (value) => str(value).toLowerCase(),
  capitalize: (value) => capitalize(str(value)),
  title: (value) =>
    str(value)
      .split(/([-\s({[<]+)/)
      .map(capitalize)
      .join(''),
  trim: (value, { get }) => {
    const letters = get(0, 'chars') ?? null;
    return strip(str(value), letters === null ? null : str(letters));
  },
  string: str,
  safe: (value) => value,
  escape: (value) => escapeHtml(str(value)),
  replace: (value, { get, budget }) => {
    if (value instanceof Undefined) throw new TemplateError(value.message);
    return replaceText(str(value), str(get(0, 'old') ?? ''), str(get(1, 'new') ?? ''), get(2, 'count') ?? null, budget);
  },
  center: (value, { get }) => {
    const text = str(value);
    const space = Math.max(0, Math.min(numeric(get(0, 'width') ?? 80), 100_000) - characters(text).length);
    const left = Math.floor(space / 2) + (space & numeric(get(0, 'width') ?? 80) & 1);
    return ' '.repeat(left) + text + ' '.repeat(space - left);
  },
  indent: (value, { get }) => {
    const width = get(0, 'width') ?? 4;
    const margin = typeof width === 'string' ? width : ' '.repeat(Math.min(Math.max(0, numeric(width)), 1000));
    const blank = truth(get(2, 'blank') ?? false);
    const lines = `${str(value)}\n`.split('\n').slice(0, -1);
    const indented = lines.map((line, i) => (i === 0 || (line === '' && !blank) ? line : margin + line)).join('\n');
    return truth(get(1, 'first') ?? false) ? margin + indented : indented;
  },
  format: (value, { args, keywords }) =>
    percent(str(value), keywords.size > 0 ? new Map<Value, Value>(keywords) : new Tuple(args)),
  truncate: (value, { get }) => {
    const text = characters(str(value));
    const length = numeric(get(0, 'length') ?? 255);
    const end = str(get(2, 'end') ?? '...');
    if (text.length <= length + numeric(get(3, 'leeway') ?? 5)) return text.join('');
    const cut = text.slice(0, Math.max(0, length - end.length)).join('');
    return (
      (truth(get(1, 'killwords') ?? false) ? cut : cut.slice(0, cut.includes(' ') ? cut.lastIndexOf(' ') : undefined)) +
      end
    );
  },
  wordcount: (value) => (str(value).match(/[\p{L}\p{N}_]+/gu) ?? []).length,
  striptags: (value) => strip(str(value).replace(/<!--[\s\S]*?-->|<[^>]*>/g, ''), null).replace(/\s+/g, ' '),
  urlencode: (value) =>
    encodeURIComponent(str(value))
      .replace(/%2F/g, '/')
      .replace(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`),
  tojson: (value, { get }) => {
    const separators = get(2, 'separators') ?? null;
    const indent = get(1, 'indent') ?? null;
    const pair = separators === null ? null : [...iterate(separators)].map(str);
    return toJson(value, {
      ensureAscii: truth(get(0, 'ensure_ascii') ?? false),
      indent: indent === null || typeof indent === 'string' ? indent : numeric(indent),
      separators: pair && [pair[0] ?? ', ', pair[1] ?? ': '],
      sortKeys: truth(get(3, 'sort_keys') ?? false),
    });
  },
  pprint: repr,
};

const escapeHtml = (text: string): string =>
  text.replace(
    /[&<>"']/g,
    (letter) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' })[letter]!,
  );

const numberFilters: Record<string, Filter> = {
  abs: (value) => (value instanceof Float ? new Float(Math.abs(value.value)) : Math.abs(numeric(value))),
  int: (value, { get }) => {
    const other = get(0, 'default') ?? 0;
    if (isNumber(value)) return Number.isFinite(numberOf(value)) ? Math.trunc(numberOf(value)) : other;
    const text = typeof value === 'string' ? strip(value, null).replaceAll('_', '') : '';
    if (/^[-+]?\d+$/.test(text)) return Number(text);
    const base = numeric(get(1, 'base') ?? 10);
    if (base !== 10 && /^[-+]?(?:0[xob])?[\da-z]+$/i.test(text)) {
      const parsed = parseInt(text.replace(/^([-+]?)0[xob]/i, '$1'), base);
      if (!Number.isNaN(parsed)) return parsed;
    }
    return isFloatText(text) ? Math.trunc(Number(text)) : other;
  },
  float: (value, { get }) => {
    if (isNumber(value)) return new Float(numberOf(value));
    const text = typeof value === 'string' ? strip(value, null) : '';
    return isFloatText(text) ? new Float(Number(text)) : (get(0, 'default') ?? new Float(0));
  },
  round: (value, { get }) => {
    const factor = 10 ** numeric(get(0, 'precision') ?? 0);
    const method = str(get(1, 'method') ?? 'common');
    // Python rounds integers to integers.
    if (!(value instanceof Float) && method === 'common' && factor >= 1) return numeric(value);
    const scaled = numeric(value) * factor;
    const rounded =
      method === 'ceil' ? Math.ceil(scaled) : method === 'floor' ? Math.floor(scaled) : halfToEven(scaled);
    return new Float(rounded / factor);
  },
};

const isFloatText = (text: string): boolean => /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text);

/** As Python's round() does. */
function halfToEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

const otherFilters: Record<string, Filter> = {
  default: (value, { get }) => {
    const isMissing = value instanceof Undefined || (truth(get(1, 'boolean') ?? false) && !truth(value));
    return isMissing ? (get(0, 'default_value') ?? '') : value;
  },
  length: (value) => {
    const length = lengthOf(value);
    if (length === null) throw new TemplateError(`object of type '${typeName(value)}' has no len()`);
    return length;
  },
  attr: (value, { get, budget }) => {
    const name = str(get(0, 'name') ?? '');
    return isDict(value)
      ? new Undefined(`'dict object' has no attribute '${name}'`)
      : attributePath(value, name, budget);
  },
  items: (value) => {
    if (value instanceof Undefined) return [];
    if (!isDict(value)) throw new TemplateError('Can only get item pairs from a mapping.');
    return [...value].map(([key, item]) => new Tuple([key, item]));
  },
};

const filters: Record<string, Filter> = { ...textFilters, ...numberFilters, ...otherFilters, ...listFilters(apply) };
const aliases: Record<string, string> = { count: 'length', d: 'default', e: 'escape', forceescape: 'escape' };

function apply(name: string, value: Value, args: readonly Value[], budget: Budget): Value {
  return applyFilter(name, value, args, new Map(), budget);
}

/** @throws TemplateError for a filter that doesn't exist, or that can't be applied to the value */
export function applyFilter(
  name: string,
  value: Value,
  args: readonly Value[],
  keywords: Keywords,
  budget: Budget,
): Value {
  const known = aliases[name] ?? name;
  if (!Object.hasOwn(filters, known)) throw new TemplateError(`No filter named '${name}'.`);
  const get = (at: number, key: string) => (at < args.length ? args[at] : keywords.get(key));
  budget.step(itemsOf(value)?.length ?? 0);
  return filters[known]!(value, { args, keywords, budget, get });
}
