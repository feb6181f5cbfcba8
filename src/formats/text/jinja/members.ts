/** @file What is behind a dot, in brackets, and called: as Jinja looks it up, in its sandbox for untrusted templates. */
import { subscript, type Budget } from './operators';
import { stringMethods } from './library/string-methods';
import {
  Callable,
  equal,
  Float,
  isDict,
  isLoop,
  itemsOf,
  Namespace,
  repr,
  str,
  TemplateError,
  Tuple,
  typeName,
  Undefined,
  type Dict,
  type Keywords,
  type Value,
} from './values';

/** `value.name`: an attribute of Python's, otherwise an item. */
export function attribute(value: Value, name: string, budget: Budget): Value {
  if (value instanceof Undefined) throw new TemplateError(value.message);
  return own(value, name, budget) ?? (isDict(value) && value.has(name) ? value.get(name)! : absent(value, name));
}

/** `value[key]`: an item, otherwise an attribute of Python's. */
export function item(value: Value, key: Value, budget: Budget): Value {
  if (value instanceof Undefined) throw new TemplateError(value.message);
  if (isDict(value)) {
    if (value.has(key)) return value.get(key)!;
  } else {
    const found = subscript(value, key);
    if (found !== undefined) return found;
  }
  return (typeof key === 'string' ? own(value, key, budget) : undefined) ?? absent(value, key);
}

function absent(value: Value, key: Value): Undefined {
  const object = value === null ? 'None' : `'${typeName(value)} object'`;
  if (typeof key === 'string') return new Undefined(`${object} has no attribute '${key}'`);
  return new Undefined(`${object.replaceAll("'", '')} has no element ${repr(key)}`);
}

const UNSAFE = new Set([
  'append',
  'extend',
  'insert',
  'pop',
  'remove',
  'reverse',
  'sort',
  'clear',
  'update',
  'setdefault',
  'popitem',
]);

/** @returns undefined when there is no such attribute */
function own(value: Value, name: string, budget: Budget): Value | undefined {
  if (value instanceof Namespace) return value.attributes.get(name);
  if (isLoop(value)) return value.attribute(name);
  if (typeof value === 'string') return stringMethods(value, name, budget);
  const changes = Array.isArray(value) || isDict(value);
  if (name.startsWith('__') || (changes && UNSAFE.has(name))) {
    return new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
  }
  if (isDict(value)) return dictMethod(value, name);
  const items = itemsOf(value);
  if (items) return listMethod(items, name);
  if (value instanceof Float && name === 'is_integer') return method(name, () => Number.isInteger(value.value));
  if (value instanceof Callable && name === 'name') return value.name;
  return undefined;
}

const method = (name: string, call: (args: readonly Value[], keywords: Keywords) => Value) => new Callable(name, call);

function dictMethod(dict: Dict, name: string): Callable | undefined {
  switch (name) {
    case 'get':
      return method(name, ([key = null, other = null], keywords) => {
        const found = dict.get(key instanceof Float ? key.value : key);
        return found === undefined ? (keywords.get('default') ?? other) : found;
      });
    case 'items':
      return method(name, () => [...dict].map(([key, value]) => new Tuple([key, value])));
    case 'keys':
      return method(name, () => [...dict.keys()]);
    case 'values':
      return method(name, () => [...dict.values()]);
    case 'copy':
      return method(name, () => new Map(dict));
    default:
      return undefined;
  }
}

function listMethod(items: readonly Value[], name: string): Callable | undefined {
  switch (name) {
    case 'index':
      return method(name, ([wanted = null]) => {
        const at = items.findIndex((each) => equal(each, wanted));
        if (at < 0) throw new TemplateError(`${repr(wanted)} is not in list`);
        return at;
      });
    case 'count':
      return method(name, ([wanted = null]) => items.filter((each) => equal(each, wanted)).length);
    case 'copy':
      return method(name, () => [...items]);
    default:
      return undefined;
  }
}

/** @throws TemplateError for what can't be called */
export function callValue(callee: Value, args: readonly Value[], keywords: Keywords): Value {
  if (callee instanceof Undefined) throw new TemplateError(callee.message);
  if (isLoop(callee)) return callee.again(args[0] ?? null);
  if (!(callee instanceof Callable)) throw new TemplateError(`'${typeName(callee)}' object is not callable`);
  return callee.call(args, keywords);
}

/** `a.b.0`, as filters name attributes. */
export function attributePath(value: Value, path: Value, budget: Budget): Value {
  let found = value;
  for (const part of str(path).split('.')) {
    found = item(found, /^\d+$/.test(part) ? Number(part) : part, budget);
  }
  return found;
}
