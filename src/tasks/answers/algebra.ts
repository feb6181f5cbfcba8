/**
 * @file The normal form of a mathematical expression, so that two spellings of one value compare equal: a sum of terms,
 * each a rational coefficient times powers of symbols, primes under roots, and functions. Exact, bounded, and without
 * evaluating any code. remote/…/algebra.py is the same in Python.
 */

/** An exact fraction; the denominator is positive and the two have no common factor. */
type Rational = readonly [numerator: bigint, denominator: bigint];

/** A term: its coefficient and, by the name of each factor, the exponent of that factor. */
interface Term {
  coefficient: Rational;
  powers: Map<string, Rational>;
}

/** A sum of terms by the canonical text of their powers. */
type Sum = Map<string, Term>;

export interface NormalForm {
  /** Equal texts mean equal values. */
  text: string;
  /** The value when the expression is a plain rational number. */
  number: Rational | null;
  /** Whether plain numbers are still to be added or multiplied in it, as in `3+4`: a calculation, not yet a result. */
  isCalculation: boolean;
}

const MAX_DEPTH = 40;
const MAX_TERMS = 60;
const MAX_EXPONENT = 400n;
const MAX_DIGITS = 1500;
/** Radicands are factored by trial division up to here; what is left stays under the root as it is. */
const MAX_TRIAL_FACTOR = 1000n;

const FUNCTIONS = new Set(
  'sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lg arg gcd lcm max min det'.split(' '),
);
const WRAPPERS = new Set('overline bar vec hat underline widehat overrightarrow'.split(' '));

class Unreadable extends Error {}

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

const constant = (value: Rational): Sum =>
  value[0] === 0n ? new Map() : new Map([['', { coefficient: value, powers: new Map() }]]);
const symbol = (name: string): Sum => sumOf([{ coefficient: [1n, 1n], powers: new Map([[name, [1n, 1n]]]) }]);

/** The value of a sum without any symbol. */
function asNumber(sum: Sum): Rational | null {
  if (sum.size === 0) return [0n, 1n];
  return sum.size === 1 && sum.has('') ? sum.get('')!.coefficient : null;
}
const isNumber = (sum: Sum): boolean => asNumber(sum) !== null;

function sumOf(terms: Iterable<Term>): Sum {
  const sum: Sum = new Map();
  for (const { coefficient, powers } of terms) {
    const key = [...powers.entries()]
      .filter(([, exponent]) => exponent[0] !== 0n)
      .map(([name, exponent]) => `${name}^${fractionText(exponent)}`)
      .sort()
      .join('*');
    const before = sum.get(key);
    const total = before ? plus(before.coefficient, coefficient) : coefficient;
    if (total[0] === 0n) sum.delete(key);
    else sum.set(key, { coefficient: total, powers });
  }
  if (sum.size > MAX_TERMS) throw new Unreadable();
  return sum;
}

const serialise = (sum: Sum): string =>
  [...sum.keys()]
    .sort()
    .map((key) => `${fractionText(sum.get(key)!.coefficient)}*${key}`)
    .join('+') || '0';

const fractionText = ([top, bottom]: Rational): string => (bottom === 1n ? String(top) : `${top}/${bottom}`);

const add = (a: Sum, b: Sum): Sum => sumOf([...a.values(), ...b.values()]);
const negate = (a: Sum): Sum => times(a, constant([-1n, 1n]));

function times(a: Sum, b: Sum): Sum {
  if (a.size * b.size > MAX_TERMS * 4) throw new Unreadable();
  const terms: Term[] = [];
  for (const x of a.values()) for (const y of b.values()) terms.push(timesTerm(x, y));
  return sumOf(terms);
}

function timesTerm(x: Term, y: Term): Term {
  const powers = new Map(x.powers);
  for (const [name, exponent] of y.powers) powers.set(name, plus(powers.get(name) ?? [0n, 1n], exponent));
  return normalTerm({ coefficient: product(x.coefficient, y.coefficient), powers });
}

/** Whole powers of the numbers under roots go to the coefficient, so that √2·√2 is 2 and 1/√3 is √3/3. */
function normalTerm({ coefficient, powers }: Term): Term {
  const kept = new Map<string, Rational>();
  let value = coefficient;
  for (const [name, exponent] of powers) {
    if (!/^\d+$/.test(name)) {
      kept.set(name, exponent);
      continue;
    }
    const whole = floor(exponent);
    value = product(value, rationalPower([BigInt(name), 1n], whole));
    const rest = plus(exponent, [-whole, 1n]);
    if (rest[0] !== 0n) kept.set(name, rest);
  }
  return { coefficient: value, powers: kept };
}

function inverse(sum: Sum): Sum {
  return raised(sum, constant([-1n, 1n]));
}

function raised(base: Sum, exponentSum: Sum): Sum {
  const exponent = asNumber(exponentSum);
  if (!exponent) return symbol(`(${serialise(base)})^(${serialise(exponentSum)})`);
  if (base.size === 0) {
    if (exponent[0] <= 0n) throw new Unreadable();
    return base;
  }
  if (base.size === 1) return sumOf([raisedTerm([...base.values()][0]!, exponent)]);
  if (exponent[1] === 1n && exponent[0] > 0n && exponent[0] <= 8n) {
    let total = base;
    for (let i = 1n; i < exponent[0]; i++) total = times(total, base);
    return total;
  }
  // A sum under a fraction bar is scaled, so that 1/(2x+2) is (1/2)/(x+1).
  const first = base.get([...base.keys()].sort()[0]!)!.coefficient;
  if (exponent[1] === 1n) {
    const name = `(${serialise(times(base, constant(quotient([1n, 1n], first))))})`;
    return sumOf([{ coefficient: rationalPower(first, exponent[0]), powers: new Map([[name, exponent]]) }]);
  }
  return sumOf([{ coefficient: [1n, 1n], powers: new Map([[`(${serialise(base)})`, exponent]]) }]);
}

function raisedTerm({ coefficient, powers }: Term, exponent: Rational): Term {
  const raisedPowers = new Map([...powers].map(([name, power]) => [name, product(power, exponent)] as const));
  if (exponent[1] === 1n)
    return normalTerm({ coefficient: rationalPower(coefficient, exponent[0]), powers: raisedPowers });
  const negative = coefficient[0] < 0n;
  // Roots of odd order keep the sign; even roots of negative numbers are named by an i of their own.
  let sign: Rational = [1n, 1n];
  if (negative && exponent[1] % 2n === 1n) sign = exponent[0] % 2n === 0n ? [1n, 1n] : [-1n, 1n];
  else if (negative && exponent[1] === 2n) raisedPowers.set('i', plus(raisedPowers.get('i') ?? [0n, 1n], [1n, 1n]));
  else if (negative) throw new Unreadable();
  const top = coefficient[0] < 0n ? -coefficient[0] : coefficient[0];
  for (const [number, direction] of [
    [top, 1n],
    [coefficient[1], -1n],
  ] as const) {
    for (const [prime, count] of factors(number)) {
      const power = product([direction * count, 1n], exponent);
      raisedPowers.set(prime, plus(raisedPowers.get(prime) ?? [0n, 1n], power));
    }
  }
  return normalTerm({ coefficient: sign, powers: raisedPowers });
}

/** Prime factors with their counts; a large rest without small factors counts as one. */
function factors(number: bigint): [string, bigint][] {
  const found: [string, bigint][] = [];
  let rest = number;
  for (let factor = 2n; factor <= MAX_TRIAL_FACTOR && factor * factor <= rest; factor++) {
    let count = 0n;
    while (rest % factor === 0n) {
      rest /= factor;
      count++;
    }
    if (count > 0n) found.push([String(factor), count]);
  }
  if (rest > 1n) found.push([String(rest), 1n]);
  return found;
}

function factorial(sum: Sum): Sum {
  const number = asNumber(sum);
  if (number && number[1] === 1n && number[0] >= 0n && number[0] <= 100n) {
    let value = 1n;
    for (let i = 2n; i <= number[0]; i++) value *= i;
    return constant([value, 1n]);
  }
  return symbol(`(${serialise(sum)})!`);
}

function reduced(top: bigint, bottom: bigint): Rational {
  if (bottom === 0n) throw new Unreadable();
  let [a, b] = [top < 0n ? -top : top, bottom < 0n ? -bottom : bottom];
  while (b > 0n) [a, b] = [b, a % b];
  const sign = bottom < 0n ? -1n : 1n;
  return a === 0n ? [0n, 1n] : [(sign * top) / a, (sign * bottom) / a];
}

const plus = (a: Rational, b: Rational): Rational => reduced(a[0] * b[1] + b[0] * a[1], a[1] * b[1]);
const product = (a: Rational, b: Rational): Rational => reduced(a[0] * b[0], a[1] * b[1]);
const quotient = (a: Rational, b: Rational): Rational => reduced(a[0] * b[1], a[1] * b[0]);

function rationalPower(base: Rational, exponent: bigint): Rational {
  const size = exponent < 0n ? -exponent : exponent;
  if (size > MAX_EXPONENT || String(base[0]).length + String(base[1]).length > MAX_DIGITS) throw new Unreadable();
  if (size > 1n && BigInt(String(base[0]).length + String(base[1]).length) * size > MAX_DIGITS) throw new Unreadable();
  const [top, bottom] = exponent < 0n ? [base[1], base[0]] : base;
  return reduced(top ** size, bottom ** size);
}

/** The largest whole number that isn't larger. */
function floor([top, bottom]: Rational): bigint {
  const whole = top / bottom;
  return top < 0n && whole * bottom !== top ? whole - 1n : whole;
}
