/** @file Python's operators and subscripts on a template's values. */
import {
  characters,
  Float,
  floatText,
  isDict,
  isNumber,
  itemsOf,
  numberOf,
  repr,
  str,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values';

/** An item of a list takes as much time and memory as so many letters. */
const ITEM = 10;

/** Bounds what a template may do, so that a hostile one ends with an error instead of running for ever. */
export class Budget {
  #steps = 2_000_000;
  #characters = 32_000_000;

  /** For each statement, iteration and call. @throws TemplateError */
  step(count = 1): void {
    this.#steps -= count;
    if (this.#steps < 0) throw new TemplateError('it runs for too long');
  }

  /** For each text or list that is made. */
  made<T extends Value>(value: T): T {
    const length = typeof value === 'string' ? value.length : Array.isArray(value) ? ITEM * value.length : 0;
    return this.room(length, value);
  }

  /** Before a text of this length is made. */
  room<T>(length: number, value: T): T {
    this.#characters -= length;
    if (this.#characters < 0) throw new TemplateError('it writes too much text');
    return value;
  }
}

/** The longest list that Jinja's sandbox lets `range` make. */
export const MAX_RANGE = 100_000;

const isFloat = (a: Value, b: Value) => a instanceof Float || b instanceof Float;

/** @throws TemplateError in Python's words */
export function operate(operator: string, a: Value, b: Value, budget: Budget): Value {
  for (const value of [a, b]) if (value instanceof Undefined) throw new TemplateError(value.message);
  if (isNumber(a) && isNumber(b)) return arithmetic(operator, a, b);
  const [left, right] = [itemsOf(a), itemsOf(b)];
  if (operator === '+') {
    if (typeof a === 'string' && typeof b === 'string') return budget.made(a + b);
    if (Array.isArray(a) && Array.isArray(b)) return budget.made([...a, ...b]);
    if (a instanceof Tuple && b instanceof Tuple) return new Tuple([...a.items, ...b.items]);
    if (typeof a === 'string') throw new TemplateError(`can only concatenate str (not "${typeName(b)}") to str`);
    if (left) throw new TemplateError(`can only concatenate ${typeName(a)} (not "${typeName(b)}") to ${typeName(a)}`);
  }
  if (operator === '*') {
    const count = [a, b].find((value) => typeof value === 'number' || typeof value === 'boolean');
    const [text, list] = [typeof a === 'string' ? a : b, left ?? right];
    if (count !== undefined && (typeof text === 'string' || list)) {
      const times = Math.max(0, Number(count));
      budget.room(times * (typeof text === 'string' ? text.length : list!.length), null);
      if (typeof text === 'string') return text.repeat(times);
      const items = Array.from({ length: times }, () => list!).flat();
      return Array.isArray(a) || Array.isArray(b) ? items : new Tuple(items);
    }
  }
  if (operator === '%' && typeof a === 'string') return budget.made(percent(a, b));
  throw new TemplateError(
    `unsupported operand type(s) for ${operator === '**' ? '** or pow()' : operator}: '${typeName(a)}' and '${typeName(b)}'`,
  );
}

function arithmetic(operator: string, a: number | boolean | Float, b: number | boolean | Float): Value {
  const [x, y] = [numberOf(a), numberOf(b)];
  const wrap = (value: number) => (isFloat(a, b) ? new Float(value) : value);
  if ('/ // %'.split(' ').includes(operator) && y === 0) {
    throw new TemplateError(
      operator === '/' || isFloat(a, b) ? 'division by zero' : 'integer division or modulo by zero',
    );
  }
  switch (operator) {
    case '+':
      return wrap(x + y);
    case '-':
      return wrap(x - y);
    case '*':
      return wrap(x * y);
    case '/':
      return new Float(x / y);
    case '//':
      return wrap(Math.floor(x / y));
    case '%':
      return wrap(x - Math.floor(x / y) * y);
    default:
      return isFloat(a, b) || y < 0 ? new Float(x ** y) : x ** y;
  }
}

/** `'%s of %d' % (a, b)` */
export function percent(format: string, given: Value): string {
  const values = given instanceof Tuple ? [...given.items] : [given];
  const named = isDict(given) ? given : null;
  let next = 0;
  const text = format.replace(
    /%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d+))?([sdifrxXeg%])/g,
    (_, key: string | undefined, flags: string, width: string, digits: string | undefined, type: string) => {
      if (type === '%') return '%';
      const value = key !== undefined ? (named?.get(key) ?? null) : values[next++];
      if (value === undefined) throw new TemplateError('not enough arguments for format string');
      return pad(formatted(value, type, digits, flags), Number(width || 0), flags);
    },
  );
  if (named === null && next < values.length) {
    throw new TemplateError('not all arguments converted during string formatting');
  }
  return text;
}

function formatted(value: Value, type: string, digits: string | undefined, flags: string): string {
  if (type === 's') return digits === undefined ? str(value) : characters(str(value)).slice(0, Number(digits)).join('');
  if (type === 'r') return repr(value);
  if (!isNumber(value)) throw new TemplateError(`%${type} format: a real number is required, not ${typeName(value)}`);
  const number = numberOf(value);
  const sign = number >= 0 && flags.includes('+') ? '+' : '';
  if (type === 'f') return sign + number.toFixed(Number(digits ?? 6));
  if (type === 'x') return sign + Math.trunc(number).toString(16);
  if (type === 'X') return sign + Math.trunc(number).toString(16).toUpperCase();
  if (type === 'e') return sign + number.toExponential(Number(digits ?? 6)).replace(/e([+-])(\d)$/, 'e$10$2');
  if (type === 'g') return sign + floatText(Number(number.toPrecision(Number(digits ?? 6) || 1))).replace(/\.0$/, '');
  return sign + String(Math.trunc(number));
}

function pad(text: string, width: number, flags: string): string {
  if (width > 10_000) throw new TemplateError('it writes too much text');
  if (flags.includes('-')) return text.padEnd(width);
  return flags.includes('0')
    ? text.replace(/^[-+]?/, (sign) => sign + '0'.repeat(Math.max(0, width - text.length)))
    : text.padStart(width);
}

/** `value[index]`; undefined where there is no such item. */
export function subscript(value: Value, index: Value): Value | undefined {
  if (isDict(value)) return value.get(index instanceof Float ? index.value : index);
  if (typeof index !== 'number' && typeof index !== 'boolean') return undefined;
  if (typeof value === 'string') return characters(value).at(Number(index));
  return itemsOf(value)?.at(Number(index));
}

/** `value[start:stop:step]` */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  const items = typeof value === 'string' ? characters(value) : itemsOf(value);
  if (value instanceof Undefined) throw new TemplateError(value.message);
  if (!items) throw new TemplateError(`'${typeName(value)}' object is not subscriptable`);
  const by = step === null ? 1 : indexOf(step);
  if (by === 0) throw new TemplateError('slice step cannot be zero');
  const { length } = items;
  const clamp = (given: Value, missing: number) => {
    if (given === null) return missing;
    const at = indexOf(given);
    const from = at < 0 ? at + length : at;
    return by > 0 ? Math.min(Math.max(from, 0), length) : Math.min(Math.max(from, -1), length - 1);
  };
  const from = clamp(start, by > 0 ? 0 : length - 1);
  const to = clamp(stop, by > 0 ? length : -1);
  const taken: Value[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) taken.push(items[i]!);
  if (typeof value === 'string') return taken.join('');
  return Array.isArray(value) ? taken : new Tuple(taken);
}

function indexOf(value: Value): number {
  if (value instanceof Undefined) throw new TemplateError(value.message);
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
  throw new TemplateError('slice indices must be integers or None or have an __index__ method');
}
