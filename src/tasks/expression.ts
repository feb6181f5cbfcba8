/** @file Evaluates a small integer expression that a model wrote. Hostile input: no eval, bounded length, never throws. */

/** Longer expressions are refused: four numbers below 100 with redundant parentheses need far fewer. */
const MAX_LENGTH = 64;

export interface Evaluated {
  value: number;
  /** The numbers written, in order. */
  numbers: number[];
}

/**
 * Value of an expression of one- and two-digit numbers, `+ - *` (the usual precedence) and parentheses; no spaces, no
 * signs, no leading zeros. Null if it is anything else, or so large that doubles are no longer exact.
 * One pass over the text: every character is read once.
 */
export function evaluate(text: string): Evaluated | null {
  if (text.length > MAX_LENGTH) return null;
  const numbers: number[] = [];
  let at = 0;

  function atom(): number {
    if (text[at] === '(') {
      at++;
      const value = sumOfProducts();
      if (text[at] !== ')') return NaN;
      at++;
      return value;
    }
    const start = at;
    while (isDigit(text[at])) at++;
    const digits = text.slice(start, at);
    if (digits.length < 1 || digits.length > 2 || (digits.length > 1 && digits[0] === '0')) return NaN;
    const value = Number(digits);
    numbers.push(value);
    return value;
  }
  function product(): number {
    let value = atom();
    while (text[at] === '*') {
      at++;
      value *= atom();
    }
    return value;
  }
  function sumOfProducts(): number {
    let value = product();
    while (text[at] === '+' || text[at] === '-') {
      const sign = text[at] === '+' ? 1 : -1;
      at++;
      value += sign * product();
    }
    return value;
  }

  const value = sumOfProducts();
  return at === text.length && Number.isSafeInteger(value) ? { value, numbers } : null;
}

/** The value of an expression as text; null where `evaluate` has none. */
export function valueOf(expression: string): string | null {
  const value = evaluate(expression)?.value;
  return value === undefined ? null : String(value);
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9';
}
