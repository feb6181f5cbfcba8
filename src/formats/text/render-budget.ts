/**
 * @file How much work a chat template may do. Templates are programs from anywhere, and one that never ends would stop the
 * thread it runs on for good. So each of its steps is counted, and whatever it makes is measured.
 */

/** A template that does more than any honest one. */
export class TemplateTooExpensiveError extends Error {
  override name = 'TemplateTooExpensiveError';
}

/** Expressions and statements that are evaluated; a conversation of 1,000 turns takes some 50,000. */
const MAX_STEPS = 1_000_000;
/** What each round of a loop costs beside its body, in steps. */
const STEPS_PER_ROUND = 5;
/** Milliseconds; a long conversation takes a tenth of a second. */
const MAX_TIME = 5000;
/** The clock is read once in so many steps. */
const CLOCK_INTERVAL = 500;
/** Of one value, in characters and items. */
const MAX_SIZE = 4_000_000;
/** Of all values that were made, in characters and items: what is put together is measured again at each level. */
const MAX_TOTAL = 400_000_000;
/** Values within values that are visited to measure one. */
const MAX_VISITS = 1_000_000;
/** Numbers in one `range`. */
const MAX_RANGE = 100_000;

/** The part of the Jinja package's values that is measured. */
interface RuntimeValue {
  type: string;
  value: unknown;
}

/** Kinds of nodes that make a new value; the others hand on one that is there. */
const MAKERS = new Set([
  'Program',
  'For',
  'If',
  'CallStatement',
  'FilterStatement',
  'FilterExpression',
  'CallExpression',
  'MemberExpression',
  'BinaryExpression',
  'ArrayLiteral',
  'TupleLiteral',
  'ObjectLiteral',
]);

/** The budget of one rendering. */
export class RenderBudget {
  #steps = 0;
  #clock = 0;
  readonly #started = performance.now();
  #total = 0;
  /** Sizes of values that can't change any more. A namespace can, and so can what holds one. */
  readonly #sizes = new WeakMap<RuntimeValue, number>();

  /** Called before each node. @throws TemplateTooExpensiveError */
  step(steps = 1): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) {
      throw new TemplateTooExpensiveError(`it takes more than ${MAX_STEPS} steps for one conversation`);
    }
    if (++this.#clock % CLOCK_INTERVAL === 0 && performance.now() - this.#started > MAX_TIME) {
      throw new TemplateTooExpensiveError(`it takes more than ${MAX_TIME / 1000} seconds for one conversation`);
    }
  }

  /** Called with what a loop goes over. @throws TemplateTooExpensiveError */
  loop(over: RuntimeValue): void {
    this.step(STEPS_PER_ROUND * ownSize(over));
  }

  /**
   * Called with what each node gives.
   * @param node the type of the node
   * @throws TemplateTooExpensiveError when the value, or everything made so far, is too large
   */
  made(node: string, value: RuntimeValue): void {
    const size = this.#sizeOf(value);
    if (size > MAX_SIZE) {
      throw new TemplateTooExpensiveError(`it makes a text or a list of more than ${MAX_SIZE} characters or items`);
    }
    if (!MAKERS.has(node)) return;
    this.#total += ownSize(value);
    if (this.#total > MAX_TOTAL) {
      throw new TemplateTooExpensiveError(`it makes texts of more than ${MAX_TOTAL} characters together`);
    }
  }

  /** Characters and items of a value with all that it holds, each counted as often as it would be written out. */
  #sizeOf(value: RuntimeValue): number {
    if (typeof value.value === 'string') return value.value.length;
    if (!childrenOf(value)) return 1;
    let visits = 0;
    let changes = false;
    const measure = (each: RuntimeValue): number => {
      const known = this.#sizes.get(each);
      if (known !== undefined) return known;
      if (++visits > MAX_VISITS) throw new TemplateTooExpensiveError('it nests too many values in each other');
      const children = childrenOf(each);
      if (!children) return 1 + (typeof each.value === 'string' ? each.value.length : 0);
      const before = changes;
      changes = each.type === 'NamespaceValue';
      let size = 1;
      for (const child of children) {
        size += measure(child);
        if (size > MAX_SIZE) break;
      }
      if (!changes) this.#sizes.set(each, size);
      changes ||= before;
      return size;
    };
    return measure(value);
  }
}

function childrenOf({ value }: RuntimeValue): Iterable<RuntimeValue> | null {
  if (Array.isArray(value)) return value as RuntimeValue[];
  return value instanceof Map ? (value as Map<string, RuntimeValue>).values() : null;
}

function ownSize({ value }: RuntimeValue): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : 1;
}

/** Python's `range`. @throws TemplateTooExpensiveError when it is long */
export function boundedRange(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0) throw new Error('range() step must not be zero');
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= MAX_RANGE)) {
    throw new TemplateTooExpensiveError(`it counts to more than ${MAX_RANGE} with range()`);
  }
  return Array.from({ length: count }, (_, i) => from + i * step);
}
