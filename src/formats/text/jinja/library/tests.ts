/** @file Jinja's tests: what may stand behind `is`. */
import { strip } from './string-methods';
import {
  Callable,
  compare,
  contains,
  equal,
  Float,
  isDict,
  isLoop,
  isNumber,
  lengthOf,
  numberOf,
  str,
  TemplateError,
  Undefined,
  type Value,
} from '../values';

type Test = (value: Value, args: readonly Value[]) => boolean;

const integer = (value: Value): number => {
  if (value instanceof Undefined) throw new TemplateError(value.message);
  if (isNumber(value)) return numberOf(value);
  throw new TemplateError('not all arguments converted during string formatting');
};

const isSame: Test = (value, [other = null]) =>
  value instanceof Float && other instanceof Float ? value.value === other.value : value === other;

const tests: Record<string, Test> = {
  defined: (value) => !(value instanceof Undefined),
  undefined: (value) => value instanceof Undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  string: (value) => typeof value === 'string',
  number: isNumber,
  integer: (value) => typeof value === 'number',
  float: (value) => value instanceof Float,
  mapping: isDict,
  sequence: (value) => lengthOf(value) !== null,
  iterable: (value) => lengthOf(value) !== null || isLoop(value),
  // Python's Undefined has a __call__, which fails.
  callable: (value) => value instanceof Callable || isLoop(value) || value instanceof Undefined,
  odd: (value) => Math.abs(integer(value) % 2) === 1,
  even: (value) => integer(value) % 2 === 0,
  divisibleby: (value, [by = null]) => integer(value) % integer(by) === 0,
  eq: (value, [other = null]) => equal(value, other),
  ne: (value, [other = null]) => !equal(value, other),
  lt: (value, [other = null]) => compare(value, other, '<') < 0,
  le: (value, [other = null]) => compare(value, other, '<=') <= 0,
  gt: (value, [other = null]) => compare(value, other, '>') > 0,
  ge: (value, [other = null]) => compare(value, other, '>=') >= 0,
  in: (value, [container = null]) => contains(container, value),
  sameas: isSame,
  lower: (value) => isCased(str(value), (text) => text.toLowerCase()),
  upper: (value) => isCased(str(value), (text) => text.toUpperCase()),
  escaped: () => false,
  filter: (value) => FILTER_NAMES.has(str(value)),
  test: (value) => Object.hasOwn(tests, str(value)),
};

const isCased = (text: string, change: (text: string) => string): boolean =>
  text === change(text) && strip(text, null) !== '' && text.toLowerCase() !== text.toUpperCase();

const aliases: Record<string, string> = {
  '==': 'eq',
  equalto: 'eq',
  '!=': 'ne',
  '<': 'lt',
  lessthan: 'lt',
  '<=': 'le',
  '>': 'gt',
  greaterthan: 'gt',
  '>=': 'ge',
};

/** Filters that templates ask for before they use them. */
const FILTER_NAMES = new Set(['tojson', 'trim', 'length', 'join', 'map', 'select', 'selectattr', 'reject', 'default']);

/** @throws TemplateError for a test that doesn't exist */
export function applyTest(name: string, value: Value, args: readonly Value[]): boolean {
  const known = aliases[name] ?? name;
  if (!Object.hasOwn(tests, known)) throw new TemplateError(`No test named '${name}'.`);
  return tests[known]!(value, args);
}
