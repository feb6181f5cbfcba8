/**
 * @file Python's values as a template sees them. `None` is null, integers are numbers, lists are arrays and dictionaries are
 * maps; what JavaScript has no match for is a class here.
 */

/** What a template does wrong, or says itself by `raise_exception`; the message is Python's where it has one. */
export class TemplateError extends Error {
  override name = 'TemplateError';
}

/** Values that one rendering may print or compare, one inside another: a few lists that hold each other make billions. */
const MAX_VISITS = 4_000_000;
/** Rendering is synchronous, so one count serves. */
let visits = MAX_VISITS;

/** Called when a rendering begins. */
export function resetVisits(): void {
  visits = MAX_VISITS;
}

/** Counts a value that is printed or compared. @throws TemplateError */
export function visit(): void {
  if (--visits < 0) throw new TemplateError('its values are too large to print or to compare');
}

export type Value =
  null | boolean | number | string | Float | Undefined | Tuple | Namespace | Callable | LoopValue | Value[] | Dict;
export type Dict = Map<Value, Value>;

/** A float; a plain number is an integer. */
export class Float {
  constructor(readonly value: number) {}
}

/** A name or an attribute that isn't there. It is false, empty, and an error to everything else. */
export class Undefined {
  constructor(readonly message: string) {}
}

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** The only object that a template can change, by `{% set ns.x = … %}`. */
export class Namespace {
  readonly attributes = new Map<string, Value>();
}

export type Keywords = ReadonlyMap<string, Value>;

/** A macro, a method or a global function. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (args: readonly Value[], keywords: Keywords) => Value,
  ) {}
}

/** `loop`: attributes that are computed when they are asked for. */
export interface LoopValue {
  readonly isLoop: true;
  attribute(name: string): Value | undefined;
  /** `loop(items)` in a recursive loop. */
  again(items: Value): Value;
}

export const isLoop = (value: Value): value is LoopValue =>
  typeof value === 'object' && value !== null && 'isLoop' in value;
export const isDict = (value: Value): value is Dict => value instanceof Map;
export const isNumber = (value: Value): value is number | boolean | Float =>
  typeof value === 'number' || typeof value === 'boolean' || value instanceof Float;
export const numberOf = (value: number | boolean | Float): number =>
  value instanceof Float ? value.value : Number(value);
/** The items of a list or tuple; null for anything else. */
export const itemsOf = (value: Value): readonly Value[] | null =>
  Array.isArray(value) ? value : value instanceof Tuple ? value.items : null;

/** Python's name of a value's type. */
export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (typeof value === 'string') return 'str';
  if (value instanceof Float) return 'float';
  if (value instanceof Undefined) return 'Undefined';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (isDict(value)) return 'dict';
  if (value instanceof Namespace) return 'Namespace';
  return value instanceof Callable ? 'function' : 'LoopContext';
}

export function truth(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (isNumber(value)) return numberOf(value) !== 0;
  if (typeof value === 'string') return value !== '';
  if (isDict(value)) return value.size > 0;
  return (itemsOf(value)?.length ?? 1) > 0;
}

/** The characters of a string; JavaScript's own are halves of those beyond U+FFFF. */
export const characters = (text: string): string[] =>
  /[\ud800-\udfff]/.test(text) ? Array.from(text) : text.split('');

/** @throws TemplateError for what can't be iterated over */
export function iterate(value: Value): Iterable<Value> {
  if (value instanceof Undefined) return [];
  if (typeof value === 'string') return characters(value);
  if (isDict(value)) return value.keys();
  const items = itemsOf(value);
  if (!items) throw new TemplateError(`'${typeName(value)}' object is not iterable`);
  return items;
}

/** The length of anything that has one; null for the rest. */
export function lengthOf(value: Value): number | null {
  if (value instanceof Undefined) return 0;
  if (typeof value === 'string') return characters(value).length;
  if (isDict(value)) return value.size;
  return itemsOf(value)?.length ?? null;
}

/** Python's str(). */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  return repr(value);
}

export function repr(value: Value): string {
  visit();
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return quoted(value);
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Undefined) return 'Undefined';
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (value instanceof Tuple) return `(${value.items.map(repr).join(', ')}${value.items.length === 1 ? ',' : ''})`;
  if (isDict(value)) return `{${[...value].map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
  if (value instanceof Namespace) return `<Namespace ${repr(new Map(value.attributes))}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  return `<LoopContext ${str(value.attribute('index')!)}/${str(value.attribute('length')!)}>`;
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (character === quote) out += `\\${quote}`;
    else if (ESCAPES[character] !== undefined) out += ESCAPES[character];
    else if (character !== ' ' && /[\p{C}\p{Z}]/u.test(character)) {
      const hex = code.toString(16);
      out +=
        code < 256
          ? `\\x${hex.padStart(2, '0')}`
          : code < 65536
            ? `\\u${hex.padStart(4, '0')}`
            : `\\U${hex.padStart(8, '0')}`;
    } else out += character;
  }
  return quote + out + quote;
}

/** As Python writes floats: always with a point or an exponent. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  }
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Python's ==. */
export function equal(a: Value, b: Value): boolean {
  visit();
  if (isNumber(a) && isNumber(b)) return numberOf(a) === numberOf(b);
  if (a instanceof Undefined && b instanceof Undefined) return true;
  if ((Array.isArray(a) && Array.isArray(b)) || (a instanceof Tuple && b instanceof Tuple)) {
    const [left, right] = [itemsOf(a)!, itemsOf(b)!];
    return left.length === right.length && left.every((item, i) => equal(item, right[i]!));
  }
  if (isDict(a) && isDict(b)) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && equal(item, b.get(key)!));
  }
  return a === b;
}

/** Below zero, zero or above, as Python orders. @throws TemplateError for values that have no order */
export function compare(a: Value, b: Value, operator = '<'): number {
  visit();
  if (isNumber(a) && isNumber(b)) return numberOf(a) - numberOf(b);
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  const [left, right] = [itemsOf(a), itemsOf(b)];
  if (left && right && typeName(a) === typeName(b)) {
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      if (!equal(left[i]!, right[i]!)) return compare(left[i]!, right[i]!, operator);
    }
    return left.length - right.length;
  }
  for (const value of [a, b]) if (value instanceof Undefined) throw new TemplateError(value.message);
  throw new TemplateError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points, as Python does; JavaScript compares UTF-16. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (!/[\ud800-\udfff]/.test(a + b)) return a < b ? -1 : 1;
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Python's `in`. */
export function contains(container: Value, item: Value): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    if (item instanceof Undefined) throw new TemplateError(item.message);
    throw new TemplateError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (isDict(container)) return container.has(item instanceof Float ? item.value : item);
  const items = container instanceof Undefined ? [] : itemsOf(container);
  if (!items) throw new TemplateError(`argument of type '${typeName(container)}' is not iterable`);
  return items.some((each) => equal(each, item));
}

/** JavaScript's values as a template's: what JSON has. */
export function fromJson(value: unknown): Value {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? value : new Float(value);
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value === 'object') return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
  return new Undefined('the value is undefined');
}
