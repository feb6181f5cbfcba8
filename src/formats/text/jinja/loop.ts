/** @file `loop` inside `{% for %}`: as in Jinja, items are taken one by one, and ahead only where a template asks for it. */
import { Callable, equal, TemplateError, typeName, Undefined, type LoopValue, type Value } from './values';

export class Loop implements LoopValue {
  readonly isLoop = true;
  readonly #items: Iterator<Value>;
  /** Taken ahead of time. */
  readonly #ahead: Value[] = [];
  #ended = false;
  #index = -1;
  #previous: Value | undefined;
  #current: Value | undefined;
  #changed: readonly Value[] | null = null;

  /** @param recurse runs the loop over other items, for `{% for … recursive %}` */
  constructor(
    items: Iterable<Value>,
    private readonly depth: number,
    private readonly recurse: ((items: Value, depth: number) => Value) | null,
  ) {
    this.#items = items[Symbol.iterator]();
  }

  /** The next item; undefined when there is none. */
  next(): Value | undefined {
    const item = this.#peek(1) ? this.#ahead.shift()! : undefined;
    if (item === undefined) return undefined;
    this.#previous = this.#current;
    this.#current = item;
    this.#index++;
    return item;
  }

  #peek(count: number): boolean {
    while (this.#ahead.length < count && !this.#ended) {
      const { done, value } = this.#items.next() as IteratorResult<Value, undefined>;
      if (done) this.#ended = true;
      else this.#ahead.push(value);
    }
    return this.#ahead.length >= count;
  }

  get #length(): number {
    this.#peek(Infinity);
    return this.#index + 1 + this.#ahead.length;
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return this.#index + 1;
      case 'index0':
        return this.#index;
      case 'first':
        return this.#index === 0;
      case 'last':
        return !this.#peek(1);
      case 'length':
        return this.#length;
      case 'revindex':
        return this.#length - this.#index;
      case 'revindex0':
        return this.#length - this.#index - 1;
      case 'depth':
        return this.depth + 1;
      case 'depth0':
        return this.depth;
      case 'previtem':
        return this.#previous ?? (this.#index > 0 ? null : new Undefined('there is no previous item'));
      case 'nextitem':
        return this.#peek(1) ? this.#ahead[0]! : new Undefined('there is no next item');
      case 'cycle':
        return new Callable('cycle', (values) => {
          if (values.length === 0) throw new TemplateError('no items for cycling given');
          return values[this.#index % values.length]!;
        });
      case 'changed':
        return new Callable('changed', (values) => {
          const before = this.#changed;
          this.#changed = values;
          return (
            before === null || before.length !== values.length || !values.every((each, i) => equal(each, before[i]!))
          );
        });
      default:
        return undefined;
    }
  }

  again(items: Value): Value {
    if (!this.recurse) {
      throw new TemplateError("The loop must have the 'recursive' marker to be called recursively.");
    }
    if (items === null) throw new TemplateError(`'${typeName(items)}' object is not iterable`);
    return this.recurse(items, this.depth + 1);
  }
}
