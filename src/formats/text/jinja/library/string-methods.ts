/** @file Methods of Python's strings. */
import type { Budget } from '../operators';
import {
  Callable,
  characters,
  floatText,
  Float,
  isNumber,
  iterate,
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

/** What ends a line for Python. */
const ENDING = '\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]';
const LINE_END = new RegExp(`(?:${ENDING})$`);
const LINES = new RegExp(
  `[^\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]*(?:${ENDING})|[^\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]+$`,
  'g',
);

/** What Python counts as space; JavaScript's \s has U+FEFF besides, and not the separators of ASCII. */
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const LEADING = new RegExp(`^${SPACE}+`);
const isSpace = new RegExp(`^${SPACE}+$`);
const WORDS = new RegExp(`${SPACE}+`);

export type Side = 'both' | 'left' | 'right';

/** Python's strip, lstrip and rstrip. @param letters what to remove; null: space */
export function strip(text: string, letters: string | null, side: Side = 'both'): string {
  if (letters === null) {
    let end = text.length;
    if (side !== 'left') while (end > 0 && isSpace.test(text[end - 1]!)) end--;
    const right = text.slice(0, end);
    return side === 'right' ? right : right.replace(LEADING, '');
  }
  const all = characters(text);
  const removed = new Set(characters(letters));
  let [begin, end] = [0, all.length];
  if (side !== 'right') while (begin < end && removed.has(all[begin]!)) begin++;
  if (side !== 'left') while (end > begin && removed.has(all[end - 1]!)) end--;
  return all.slice(begin, end).join('');
}

/** The first letter of each word upper case, the others lower: as str.title() has words, only letters. */
export const titleCase = (text: string): string => text.toLowerCase().replace(/\p{L}+/gu, (word) => capitalize(word));

export function capitalize(text: string): string {
  const [first = '', ...rest] = characters(text);
  return first.toUpperCase() + rest.join('').toLowerCase();
}

type Method = (text: string, args: readonly Value[], keywords: Keywords, budget: Budget) => Value;

const stripping =
  (side: Side): Method =>
  (text, [letters = null]) =>
    strip(text, letters === null ? null : textOf(letters), side);

const all =
  (test: RegExp): Method =>
  (text) =>
    test.test(text);

const methods: Record<string, Method> = {
  upper: (text) => text.toUpperCase(),
  lower: (text) => text.toLowerCase(),
  casefold: (text) => text.toLowerCase(),
  capitalize,
  title: titleCase,
  swapcase: (text) =>
    characters(text)
      .map((letter) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase()))
      .join(''),
  strip: stripping('both'),
  lstrip: stripping('left'),
  rstrip: stripping('right'),
  startswith: (text, [prefix = null, from = 0]) => anyOf(prefix, (each) => text.slice(Number(from)).startsWith(each)),
  endswith: (text, [suffix = null]) => anyOf(suffix, (each) => text.endsWith(each)),
  removeprefix: (text, [prefix = null]) => (text.startsWith(textOf(prefix)) ? text.slice(textOf(prefix).length) : text),
  removesuffix: (text, [suffix = null]) => {
    const end = textOf(suffix);
    return end !== '' && text.endsWith(end) ? text.slice(0, -end.length) : text;
  },
  split: (text, args, keywords) => splitting(text, args, keywords, false),
  rsplit: (text, args, keywords) => splitting(text, args, keywords, true),
  splitlines: (text, [keep = false]) => {
    const lines = text.match(LINES) ?? [];
    return truth(keep) ? lines : lines.map((line) => line.replace(LINE_END, ''));
  },
  partition: (text, [separator = null]) => {
    const at = text.indexOf(textOf(separator));
    if (at < 0) return new Tuple([text, '', '']);
    return new Tuple([text.slice(0, at), textOf(separator), text.slice(at + textOf(separator).length)]);
  },
  rpartition: (text, [separator = null]) => {
    const at = text.lastIndexOf(textOf(separator));
    if (at < 0) return new Tuple(['', '', text]);
    return new Tuple([text.slice(0, at), textOf(separator), text.slice(at + textOf(separator).length)]);
  },
  replace: (text, [old = null, fresh = null, count], keywords, budget) =>
    replaceText(text, textOf(old), textOf(fresh), count ?? keywords.get('count') ?? null, budget),
  find: (text, [wanted = null, from = 0]) => position(text, text.indexOf(textOf(wanted), offset(text, from))),
  rfind: (text, [wanted = null]) => position(text, text.lastIndexOf(textOf(wanted))),
  index: (text, [wanted = null, from = 0]) => found(text, text.indexOf(textOf(wanted), offset(text, from))),
  rindex: (text, [wanted = null]) => found(text, text.lastIndexOf(textOf(wanted))),
  count: (text, [wanted = null]) =>
    textOf(wanted) === '' ? characters(text).length + 1 : text.split(textOf(wanted)).length - 1,
  join: (text, [items = null], _, budget) => {
    const parts = [...iterate(items)].map((each, at) => {
      if (typeof each === 'string') return each;
      throw new TemplateError(`sequence item ${at}: expected str instance, ${typeName(each)} found`);
    });
    budget.room(text.length * parts.length, null);
    return parts.join(text);
  },
  isdigit: all(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070-\u2079\u2080-\u2089]+$/u),
  isdecimal: all(/^\p{Nd}+$/u),
  isnumeric: all(/^\p{N}+$/u),
  isalpha: all(/^\p{L}+$/u),
  isalnum: all(/^[\p{L}\p{N}]+$/u),
  isspace: all(isSpace),
  isascii: (text) => !/[^\0-\x7f]/.test(text),
  isupper: (text) => text !== text.toLowerCase() && text === text.toUpperCase(),
  islower: (text) => text !== text.toUpperCase() && text === text.toLowerCase(),
  istitle: (text) => /\p{L}/u.test(text) && text === titleCase(text),
  zfill: (text, [width = 0]) =>
    text.replace(/^[-+]?/, (sign) => sign + '0'.repeat(Math.max(0, widthOf(width) - characters(text).length))),
  ljust: (text, [width = 0, fill = ' ']) => text + padding(text, width, fill),
  rjust: (text, [width = 0, fill = ' ']) => padding(text, width, fill) + text,
  center: (text, [width = 0, fill = ' ']) => {
    const space = padding(text, width, fill);
    const left = Math.floor(space.length / 2) + (space.length & widthOf(width) & 1);
    return space.slice(0, left) + text + space.slice(left);
  },
  expandtabs: (text, [size = 8]) => text.replaceAll('\t', ' '.repeat(Math.min(widthOf(size), 100))),
  format: (text, args, keywords) => formatText(text, args, keywords),
};

/** A method of a string, bound to it; undefined when strings have none of this name. */
export function stringMethods(text: string, name: string, budget: Budget): Value | undefined {
  if (!Object.hasOwn(methods, name)) {
    return name.startsWith('__')
      ? new Undefined(`access to attribute '${name}' of 'str' object is unsafe.`)
      : undefined;
  }
  return new Callable(name, (args, keywords) => budget.made(methods[name]!(text, args, keywords, budget)));
}

function textOf(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) throw new TemplateError(value.message);
  throw new TemplateError(`a string is needed, not ${typeName(value)}`);
}

const anyOf = (given: Value, test: (text: string) => boolean): boolean =>
  given instanceof Tuple ? given.items.some((each) => test(textOf(each))) : test(textOf(given));

const widthOf = (value: Value): number => {
  const width = isNumber(value) ? numberOf(value) : 0;
  if (width > 100_000) throw new TemplateError('it writes too much text');
  return width;
};

const padding = (text: string, width: Value, fill: Value): string =>
  textOf(fill).repeat(Math.max(0, widthOf(width) - characters(text).length));

/** Where code unit `at` is, in characters. */
const position = (text: string, at: number): number => (at < 0 ? -1 : characters(text.slice(0, at)).length);

/** The code unit of a character's number. */
function offset(text: string, from: Value): number {
  const at = Number(from);
  return characters(text)
    .slice(0, at < 0 ? undefined : at)
    .join('').length;
}

function found(text: string, at: number): number {
  if (at < 0) throw new TemplateError('substring not found');
  return position(text, at);
}

/** Python's replace, which also replaces the nothing between characters. @param count null or below 0: all */
export function replaceText(text: string, old: string, fresh: string, count: Value, budget: Budget): string {
  const most = count === null || Number(count) < 0 ? Infinity : Number(count);
  const parts = old === '' ? ['', ...characters(text), ''] : text.split(old);
  const times = Math.min(most, parts.length - 1);
  budget.room(times * fresh.length, null);
  if (times === parts.length - 1) return parts.join(fresh);
  const [changed, rest] = [parts.slice(0, times + 1), parts.slice(times + 1)];
  return changed.join(fresh) + (rest.length > 0 ? old + rest.join(old) : '');
}

function splitting(text: string, args: readonly Value[], keywords: Keywords, fromRight: boolean): string[] {
  const separator = args[0] ?? keywords.get('sep') ?? null;
  const most = Number(args[1] ?? keywords.get('maxsplit') ?? -1);
  if (separator === null) return splitSpace(text, most, fromRight);
  const by = textOf(separator);
  if (by === '') throw new TemplateError('empty separator');
  const parts = text.split(by);
  if (most < 0 || parts.length <= most + 1) return parts;
  return fromRight
    ? [parts.slice(0, parts.length - most).join(by), ...parts.slice(parts.length - most)]
    : [...parts.slice(0, most), parts.slice(most).join(by)];
}

function splitSpace(text: string, most: number, fromRight: boolean): string[] {
  const parts: string[] = [];
  let rest = strip(text, null);
  if (most < 0) return rest === '' ? [] : rest.split(WORDS);
  if (fromRight) {
    while (rest !== '' && parts.length < most) {
      const words = rest.split(WORDS);
      parts.unshift(words.at(-1)!);
      rest = strip(rest.slice(0, rest.length - words.at(-1)!.length), null);
    }
    return rest === '' ? parts : [strip(text, null, 'left').slice(0, rest.length), ...parts];
  }
  rest = strip(text, null, 'left');
  while (rest !== '' && parts.length < most) {
    const end = rest.search(WORDS);
    if (end < 0) break;
    parts.push(rest.slice(0, end));
    rest = strip(rest.slice(end), null, 'left');
  }
  return rest === '' ? parts : [...parts, rest];
}

/** `'{} of {name}'.format(…)`, with the plain format specifications. */
function formatText(text: string, args: readonly Value[], keywords: Keywords): string {
  let next = 0;
  return text.replace(
    /\{\{|\}\}|\{(\w*)(?:!([rs]))?(?::([^{}]*))?\}/g,
    (whole, name?: string, conversion?: string, specification = '') => {
      if (whole === '{{') return '{';
      if (whole === '}}') return '}';
      const value = name === '' ? args[next++] : /^\d+$/.test(name!) ? args[Number(name)] : keywords.get(name!);
      if (value === undefined) throw new TemplateError(`there is no value for '{${name}}'`);
      return formatValue(conversion === 'r' ? repr(value) : value, specification);
    },
  );
}

function formatValue(value: Value, specification: string): string {
  const parsed = /^(?:(.)?([<>^]))?([-+ ]?)(0?)(\d*)(,?)(?:\.(\d+))?([sdfeg%x]?)$/u.exec(specification);
  if (!parsed) throw new TemplateError(`Invalid format specifier '${specification}'`);
  const [, fill = ' ', given, sign = '', zero, width = '', comma, digits, type] = parsed;
  const isNumeric = isNumber(value) && typeof value !== 'boolean';
  let text = str(value);
  if (isNumeric) {
    const number = numberOf(value);
    if (type === 'f') text = number.toFixed(Number(digits ?? 6));
    else if (type === '%') text = `${(number * 100).toFixed(Number(digits ?? 6))}%`;
    else if (type === 'e') text = number.toExponential(Number(digits ?? 6)).replace(/e([+-])(\d)$/, 'e$10$2');
    else if (type === 'x') text = number.toString(16);
    else if (digits !== undefined || type === 'g') {
      text = floatText(Number(number.toPrecision(Number(digits ?? 6)))).replace(
        /\.0$/,
        value instanceof Float && type === '' ? '.0' : '',
      );
    }
    if (comma) text = text.replace(/^-?\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ','));
    if (number >= 0 && (sign === '+' || sign === ' ')) text = sign + text;
  } else if (digits !== undefined) text = characters(text).slice(0, Number(digits)).join('');
  const align = given ?? (isNumeric ? '>' : '<');
  const space = Math.max(0, widthOf(Number(width || 0)) - characters(text).length);
  if (zero && given === undefined) return text.replace(/^[-+ ]?/, (first) => first + '0'.repeat(space));
  if (align === '<') return text + fill.repeat(space);
  if (align === '>') return fill.repeat(space) + text;
  return fill.repeat(Math.floor(space / 2)) + text + fill.repeat(Math.ceil(space / 2));
}
