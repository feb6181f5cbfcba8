/** @file The functions that a chat template can call: Jinja's own, and those that Transformers adds. */
import { MAX_RANGE, type Budget } from '../operators';
import { strftime } from './strftime';
import {
  Callable,
  isDict,
  isNumber,
  iterate,
  Namespace,
  numberOf,
  str,
  TemplateError,
  typeName,
  Undefined,
  type Keywords,
  type Value,
} from '../values';

const integer = (value: Value): number => {
  if (value instanceof Undefined) throw new TemplateError(value.message);
  if (isNumber(value) && Number.isInteger(numberOf(value))) return numberOf(value);
  throw new TemplateError(`'${typeName(value)}' object cannot be interpreted as an integer`);
};

function range(args: readonly Value[], budget: Budget): Value {
  const [first = 0, second, third = 1] = args.map(integer);
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (third === 0) throw new TemplateError('range() arg 3 must not be zero');
  const length = Math.max(0, Math.ceil((stop - start) / third));
  if (length > MAX_RANGE) {
    throw new TemplateError(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`);
  }
  budget.step(length);
  return Array.from({ length }, (_, i) => start + i * third);
}

/** The entries of dictionaries, pairs and keywords. */
function entries(args: readonly Value[], keywords: Keywords): [Value, Value][] {
  const given = args.flatMap((value): [Value, Value][] =>
    isDict(value)
      ? [...value]
      : [...iterate(value)].map((pair) => {
          const [key = null, item = null] = iterate(pair);
          return [key, item];
        }),
  );
  return [...given, ...keywords];
}

function namespace(args: readonly Value[], keywords: Keywords): Namespace {
  const made = new Namespace();
  for (const [key, value] of entries(args, keywords)) made.attributes.set(str(key), value);
  return made;
}

function cycler(items: readonly Value[]): Value {
  if (items.length === 0) throw new TemplateError('at least one item has to be provided');
  let at = 0;
  const made = new Namespace();
  made.attributes.set('current', items[0]!);
  made.attributes.set(
    'next',
    new Callable('next', () => {
      const value = items[at]!;
      at = (at + 1) % items.length;
      made.attributes.set('current', items[at]!);
      return value;
    }),
  );
  return made;
}

function joiner([separator = ', ']: readonly Value[]): Callable {
  let used = false;
  return new Callable('joiner', () => {
    const text = used ? separator : '';
    used = true;
    return text;
  });
}

export function globals(budget: Budget): Map<string, Value> {
  const functions: Record<string, (args: readonly Value[], keywords: Keywords) => Value> = {
    range: (args) => range(args, budget),
    dict: (args, keywords) => new Map(entries(args, keywords)),
    namespace,
    cycler,
    joiner,
    raise_exception: ([message = null]) => {
      throw new TemplateError(str(message));
    },
    strftime_now: ([format = '']) => strftime(new Date(), str(format)),
  };
  return new Map(Object.entries(functions).map(([name, call]) => [name, new Callable(name, call)]));
}
