/**
 * @file The normal form of a mathematical expression, so that two spellings of one value compare equal: it is read by
 * recursive descent into a sum of terms (./sums.ts). Exact, bounded, and without evaluating any code.
 * remote/…/algebra.py is the same in Python.
 */
import {
  add,
  asNumber,
  constant,
  factorial,
  inverse,
  isNumber,
  negate,
  product,
  quotient,
  raised,
  rationalPower,
  reduced,
  serialise,
  symbol,
  times,
  Unreadable,
  type Rational,
  type Sum,
} from './sums';

export interface NormalForm {
  /** Equal texts mean equal values. */
  text: string;
  /** The value when the expression is a plain rational number. */
  number: Rational | null;
  /** Whether plain numbers are still to be added or multiplied in it, as in `3+4`: a calculation, not yet a result. */
  isCalculation: boolean;
}

const MAX_DEPTH = 40;

const FUNCTIONS = new Set(
  'sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lg arg gcd lcm max min det'.split(' '),
);
const WRAPPERS = new Set('overline bar vec hat underline widehat overrightarrow'.split(' '));

/** The normal form of an expression in the notation of `toPlainNotation`; null when it cannot be read as one. */
export function normalForm(expression: string): NormalForm | null {
  try {
    const reader = new Reader(expression);
    const sum = reader.all();
    return { text: serialise(sum), number: asNumber(sum), isCalculation: reader.isCalculation };
  } catch (error) {
    if (error instanceof Unreadable) return null;
    throw error;
  }
}

/** Whether `a = b` and `c = d` are one equation, perhaps with its sides swapped, rearranged or multiplied by a number. */
export function sameEquation(equation: readonly [string, string], other: readonly [string, string]): boolean {
  try {
    return scaled(differenceOf(equation)) === scaled(differenceOf(other));
  } catch (error) {
    if (error instanceof Unreadable) return false;
    throw error;
  }
}

const differenceOf = ([left, right]: readonly [string, string]): Sum =>
  add(new Reader(left).all(), negate(new Reader(right).all()));

/** The text of a sum that is divided by its first coefficient. */
function scaled(sum: Sum): string {
  const first = [...sum.keys()].sort()[0];
  if (first === undefined) return '';
  return serialise(times(sum, constant(quotient([1n, 1n], sum.get(first)!.coefficient))));
}

/** Recursive descent over the text; every method leaves `at` behind what it has read. */
class Reader {
  at = 0;
  depth = 0;
  isCalculation = false;
  constructor(readonly text: string) {}

  all(): Sum {
    const sum = this.sum();
    this.space();
    if (this.at < this.text.length) throw new Unreadable();
    return sum;
  }

  /** The next character after any spaces. */
  peek(): string {
    this.space();
    return this.text[this.at] ?? '';
  }

  space(): void {
    while (this.text[this.at] === ' ' || this.text[this.at] === '~') this.at++;
  }

  sum(): Sum {
    if (++this.depth > MAX_DEPTH) throw new Unreadable();
    let total = this.product();
    for (;;) {
      const sign = this.peek();
      if (sign !== '+' && sign !== '-') break;
      this.at++;
      const next = this.product();
      if (isNumber(total) && isNumber(next)) this.isCalculation = true;
      total = add(total, sign === '+' ? next : negate(next));
    }
    this.depth--;
    return total;
  }

  product(): Sum {
    let negative = false;
    while (this.peek() === '-' || this.peek() === '+') {
      if (this.text[this.at] === '-') negative = !negative;
      this.at++;
    }
    let total = this.power();
    for (;;) {
      const next = this.peek();
      if (next === '*') {
        this.at++;
        const start = this.at;
        const factor = this.signed();
        const powerOfTen = /^\s*10\s*\^/.test(this.text.slice(start, this.at));
        if (isNumber(total) && isNumber(factor) && !powerOfTen) this.isCalculation = true;
        total = times(total, factor);
      } else if (next === '/') {
        this.at++;
        total = times(total, inverse(this.signed()));
      } else if (this.startsFactor(next)) {
        // Two numbers side by side are no product.
        if (isDigit(next)) throw new Unreadable();
        const factor = this.power();
        if (isNumber(total) && isNumber(factor)) this.isCalculation = true;
        total = times(total, factor);
      } else break;
    }
    return negative ? negate(total) : total;
  }

  signed(): Sum {
    if (this.peek() !== '-') return this.power();
    this.at++;
    return negate(this.power());
  }

  startsFactor(next: string): boolean {
    return isDigit(next) || isLetter(next) || '([{\\.π∞"'.includes(next || ' ');
  }

  power(): Sum {
    let base = this.atom();
    for (;;) {
      const next = this.peek();
      if (next === '!') {
        this.at++;
        base = factorial(base);
      } else if (next === '^') {
        this.at++;
        base = raised(base, this.exponent());
      } else return base;
    }
  }

  exponent(): Sum {
    const next = this.peek();
    if (next === '-') {
      this.at++;
      return negate(this.exponent());
    }
    return this.atom();
  }

  atom(): Sum {
    const next = this.peek();
    if (isDigit(next) || next === '.') return this.mixed(this.number());
    if (next === '(' || next === '{' || next === '[') return this.group(next === '(' ? ')' : next === '{' ? '}' : ']');
    if (next === 'π' || next === '∞') {
      this.at++;
      return symbol(next);
    }
    if (isLetter(next)) {
      this.at++;
      return symbol(next + this.subscript());
    }
    if (next === '\\') return this.command();
    if (next === '|') return this.absolute();
    throw new Unreadable();
  }

  group(close: string): Sum {
    this.at++;
    const inside = this.sum();
    if (this.peek() !== close) throw new Unreadable();
    this.at++;
    return this.text[this.at] === '_' && isNumber(inside) ? this.inBase(inside) : inside;
  }

  absolute(): Sum {
    this.at++;
    const inside = this.sum();
    if (this.peek() !== '|') throw new Unreadable();
    this.at++;
    const number = asNumber(inside);
    if (number) return constant(number[0] < 0n ? [-number[0], number[1]] : number);
    return symbol(`|${serialise(inside)}|`);
  }

  number(): Sum {
    const match = /^(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,4})(?![\d^]))?/.exec(this.text.slice(this.at))!;
    const [all, whole = '', part = '', exponent = '0'] = match;
    if (whole === '' && part === '') throw new Unreadable();
    this.at += all.length;
    const value = quotient([BigInt(whole + part), 1n], [10n ** BigInt(part.length), 1n]);
    const sum = constant(product(value, rationalPower([10n, 1n], BigInt(exponent))));
    return this.text[this.at] === '_' ? this.inBase(sum) : sum;
  }

  /** `2\frac{1}{4}` and `2 1/4`. */
  mixed(whole: Sum): Sum {
    const rest = this.text.slice(this.at);
    const match = /^[ ~]*\\frac(?:\{(\d+)\}|(\d))[ ~]*(?:\{(\d+)\}|(\d))|^[ ~]+(\d+)\/(\d+)/.exec(rest);
    const number = asNumber(whole);
    if (!match || !number || number[1] !== 1n) return whole;
    const top = BigInt(match[1] ?? match[2] ?? match[5]!);
    const bottom = BigInt(match[3] ?? match[4] ?? match[6]!);
    if (bottom === 0n) throw new Unreadable();
    this.at += match[0].length;
    return add(whole, constant(reduced(top, bottom)));
  }

  /** `231_5`: a number written in another base, which is compared as it is written. */
  inBase(number: Sum): Sum {
    return symbol(`${serialise(number)}${this.subscript()}`);
  }

  subscript(): string {
    if (this.text[this.at] !== '_') return '';
    this.at++;
    return `_(${serialise(this.argument(true))})`;
  }

  /** What a LaTeX command or a subscript takes: a group, or one digit, letter or command. */
  argument(wholeNumber = false): Sum {
    const next = this.peek();
    if (next === '{') return this.group('}');
    if (isDigit(next) && !wholeNumber) {
      this.at++;
      return constant([BigInt(next), 1n]);
    }
    if (isDigit(next)) {
      const digits = /^\d+/.exec(this.text.slice(this.at))![0];
      this.at += digits.length;
      return constant([BigInt(digits), 1n]);
    }
    return this.atom();
  }

  command(): Sum {
    if (++this.depth > MAX_DEPTH) throw new Unreadable();
    const name = /^\\[a-zA-Z]*/.exec(this.text.slice(this.at))![0].slice(1);
    this.at += name.length + 1;
    const value = this.commandValue(name);
    this.depth--;
    return value;
  }

  commandValue(name: string): Sum {
    if (name === 'frac') {
      const top = this.argument();
      return times(top, inverse(this.argument()));
    }
    if (name === 'sqrt') {
      let root: Rational = [2n, 1n];
      if (this.peek() === '[') {
        const index = asNumber(this.group(']'));
        if (!index || index[0] === 0n) throw new Unreadable();
        root = index;
      }
      // `√(…)` in plain text takes its parentheses, as a group does.
      const radicand = this.peek() === '(' ? this.group(')') : this.argument();
      return raised(radicand, constant(quotient([1n, 1n], root)));
    }
    if (name === 'binom') return symbol(`binom(${serialise(this.argument())};${serialise(this.argument())})`);
    if (WRAPPERS.has(name)) return symbol(`${name}(${serialise(this.argument())})`);
    if (FUNCTIONS.has(name)) {
      const base = this.subscript();
      let exponent: Sum | null = null;
      if (this.peek() === '^') {
        this.at++;
        exponent = this.argument();
      }
      const value = symbol(`${name}${base}(${serialise(this.functionArgument())})`);
      return exponent ? raised(value, exponent) : value;
    }
    if (/^[a-zA-Z]+$/.test(name)) return symbol(`\\${name}${this.subscript()}`);
    throw new Unreadable();
  }

  /** `\sin 2x` takes all factors that follow; `\sin(x)` only its parentheses. */
  functionArgument(): Sum {
    const next = this.peek();
    if (next === '(') return this.group(')');
    if (next === '{') return this.group('}');
    let total = this.power();
    while (this.startsFactor(this.peek()) && !isDigit(this.peek()) && !'(\\'.includes(this.peek())) {
      total = times(total, this.power());
    }
    return total;
  }
}

const isDigit = (character: string): boolean => character >= '0' && character <= '9' && character.length === 1;
const isLetter = (character: string): boolean => /^[a-zA-Z]$/.test(character);
