/**
 * @file Exact arithmetic on sums of terms, each a rational coefficient times powers of symbols, primes under roots, and
 * functions. Bounded: whatever grows too large is refused. remote/…/sums.py is the same in Python.
 */

/** An exact fraction; the denominator is positive and the two have no common factor. */
export type Rational = readonly [numerator: bigint, denominator: bigint];

/** A term: its coefficient and, by the name of each factor, the exponent of that factor. */
interface Term {
  coefficient: Rational;
  powers: Map<string, Rational>;
}

/** A sum of terms by the canonical text of their powers. */
export type Sum = Map<string, Term>;

const MAX_TERMS = 60;
const MAX_EXPONENT = 400n;
const MAX_DIGITS = 1500;
/** Radicands are factored by trial division up to here; what is left stays under the root as it is. */
const MAX_TRIAL_FACTOR = 1000n;

/** An expression that can't be read, or whose value is too large. */
export class Unreadable extends Error {}

export const constant = (value: Rational): Sum =>
  value[0] === 0n ? new Map() : new Map([['', { coefficient: value, powers: new Map() }]]);
export const symbol = (name: string): Sum => sumOf([{ coefficient: [1n, 1n], powers: new Map([[name, [1n, 1n]]]) }]);

/** The value of a sum without any symbol. */
export function asNumber(sum: Sum): Rational | null {
  if (sum.size === 0) return [0n, 1n];
  return sum.size === 1 && sum.has('') ? sum.get('')!.coefficient : null;
}
export const isNumber = (sum: Sum): boolean => asNumber(sum) !== null;

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

export const serialise = (sum: Sum): string =>
  [...sum.keys()]
    .sort()
    .map((key) => `${fractionText(sum.get(key)!.coefficient)}*${key}`)
    .join('+') || '0';

const fractionText = ([top, bottom]: Rational): string => (bottom === 1n ? String(top) : `${top}/${bottom}`);

export const add = (a: Sum, b: Sum): Sum => sumOf([...a.values(), ...b.values()]);
export const negate = (a: Sum): Sum => times(a, constant([-1n, 1n]));

export function times(a: Sum, b: Sum): Sum {
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

export function inverse(sum: Sum): Sum {
  return raised(sum, constant([-1n, 1n]));
}

export function raised(base: Sum, exponentSum: Sum): Sum {
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

export function factorial(sum: Sum): Sum {
  const number = asNumber(sum);
  if (number && number[1] === 1n && number[0] >= 0n && number[0] <= 100n) {
    let value = 1n;
    for (let i = 2n; i <= number[0]; i++) value *= i;
    return constant([value, 1n]);
  }
  return symbol(`(${serialise(sum)})!`);
}

export function reduced(top: bigint, bottom: bigint): Rational {
  if (bottom === 0n) throw new Unreadable();
  let [a, b] = [top < 0n ? -top : top, bottom < 0n ? -bottom : bottom];
  while (b > 0n) [a, b] = [b, a % b];
  const sign = bottom < 0n ? -1n : 1n;
  return a === 0n ? [0n, 1n] : [(sign * top) / a, (sign * bottom) / a];
}

const plus = (a: Rational, b: Rational): Rational => reduced(a[0] * b[1] + b[0] * a[1], a[1] * b[1]);
export const product = (a: Rational, b: Rational): Rational => reduced(a[0] * b[0], a[1] * b[1]);
export const quotient = (a: Rational, b: Rational): Rational => reduced(a[0] * b[1], a[1] * b[0]);

export function rationalPower(base: Rational, exponent: bigint): Rational {
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
