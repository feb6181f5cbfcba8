/**
 * @file Whether two final answers say the same: as numbers, exactly, where both are numbers; else as written, apart from
 * how LaTeX sets them. In the manner of the graders of MATH (Hendrycks et al., arXiv 2103.03874), with no algebra: `x+1`
 * and `1+x` differ.
 */

/** Longer ones are compared as they are. */
const LONGEST = 500;
/** Digits of a number that is read as one. */
const DIGITS = 100;

/** @param given hostile; read in linear time, never evaluated */
export function sameAnswer(given: string, reference: string): boolean {
  if (given.trim() === reference.trim()) return true;
  if (given.length > LONGEST || reference.length > LONGEST) return false;
  return sameText(plain(given), plain(reference));
}

function sameText(a: string, b: string): boolean {
  if (a === b) return a !== '';
  const x = rational(a);
  const y = rational(b);
  if (x && y) return x[0] * y[1] === y[0] * x[1];
  // Coordinates and lists, part by part.
  const parts = listParts(a);
  const others = listParts(b);
  if (parts === null || others === null || parts.bracket !== others.bracket) return false;
  return parts.items.length === others.items.length && parts.items.every((item, i) => sameText(item, others.items[i]!));
}

/** Without spaces, units of degree and percent, dollar signs, and what LaTeX writes for looks alone. */
function plain(text: string): string {
  const bare = text
    .replace(/\\(?:left|right|displaystyle|!|,|;|:|quad|qquad)(?![a-z])/g, '')
    .replace(/\\[dt]frac(?![a-z])/g, '\\frac')
    .replace(/\\(?:text|mathrm|mathbf|textbf|mbox)\s*\{([^{}]*)\}/g, '$1')
    .replace(/\^\s*\{?\s*\\circ\s*\}?|°/g, '')
    .replace(/\\?[$%]/g, '')
    .replace(/\u2212/g, '-')
    .replace(/\s+/g, '')
    .replace(/\.$/, '');
  const value = bare.replace(/^[a-zA-Z]=/, '');
  // A choice, as (B) or B.
  return /^\([a-zA-Z]\)$/.test(value) ? value[1]!.toUpperCase() : value;
}

/** A number as numerator and denominator; null for anything else. */
function rational(text: string): [bigint, bigint] | null {
  const fraction =
    /^([-+]?)\\frac\{([^{}]+)\}\{([^{}]+)\}$/.exec(text) ??
    /^([-+]?)\\frac(\d)(\d)$/.exec(text) ??
    /^([-+]?)([^/]+)\/([^/]+)$/.exec(text);
  if (!fraction) return decimal(text);
  const top = decimal(fraction[2]!);
  const bottom = decimal(fraction[3]!);
  if (!top || !bottom || bottom[0] === 0n) return null;
  const sign = fraction[1] === '-' ? -1n : 1n;
  return [sign * top[0] * bottom[1], top[1] * bottom[0]];
}

function decimal(text: string): [bigint, bigint] | null {
  if (text.length > DIGITS) return null;
  const match = /^([-+]?)(\d{1,3}(?:,\d{3})+|\d+)?(?:\.(\d*))?$/.exec(text);
  if (!match || (match[2] === undefined && !match[3])) return null;
  const [, sign, whole = '0', part = ''] = match;
  const value = BigInt(whole.replaceAll(',', '') + part);
  return [sign === '-' ? -value : value, 10n ** BigInt(part.length)];
}

/** The parts of `(1,2)`, `[1,2)`, `\{1,2\}` or `1,2`; null when there is one part only. */
function listParts(text: string): { bracket: string; items: string[] } | null {
  const match = /^(\(|\[|\\\{|\{)(.*?)(\)|\]|\\\}|\})$/.exec(text);
  const inside = match ? match[2]! : text;
  const items: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < inside.length; i++) {
    const letter = inside[i]!;
    if ('([{'.includes(letter)) depth++;
    else if (')]}'.includes(letter)) depth--;
    else if (letter === ',' && depth === 0) {
      items.push(inside.slice(start, i));
      start = i + 1;
    }
  }
  if (items.length === 0) return null;
  return { bracket: match ? match[1]! + match[3]! : '', items: [...items, inside.slice(start)] };
}
