/**
 * @file Whether two final answers say the same. Numbers, fractions, roots, polynomials and lists are compared by value,
 * exactly; words by their letters. In the manner of the graders of MATH (Hendrycks et al., arXiv 2103.03874) and of
 * Math-Verify. Text is never evaluated as code. remote/…/same_answer.py is the same in Python.
 */
import { normalForm, sameEquation } from './algebra';
import { joinThousands, toPlainNotation, unitNamed } from './notation';

/** Longer answers are compared as they are written. */
const MAX_LENGTH = 500;
const MAX_DEPTH = 12;

/**
 * Whether an answer says what the reference says. A calculation that the reference doesn't have, such as `3+4` against
 * `7`, is not an answer.
 * @param given hostile; read in time linear in its length
 */
export function sameAnswer(given: string, reference: string): boolean {
  if (given.trim() === reference.trim()) return given.trim() !== '';
  if (given.length > MAX_LENGTH || reference.length > MAX_LENGTH) return false;
  const a = withoutDressing(toPlainNotation(given));
  const b = withoutDressing(toPlainNotation(reference));
  if (sameText(joinThousands(a), joinThousands(b), 0)) return true;
  // In brackets, `(1,234)` may be a pair as well as a number.
  return /^(?:\\\{|[([])/.test(a) && sameText(a.replace(/~/g, ' '), b.replace(/~/g, ' '), 0);
}

/** Without Markdown's emphasis, an outer pair of braces, a full stop at the end, and words that introduce the answer. */
function withoutDressing(text: string): string {
  let bare = text.replace(/^[*_ ]+|[*_ .]+$/g, '');
  const introduced = /^.*"answer" *(?:"is"|:|=)? *:? */i.exec(bare)?.[0] ?? '';
  if (introduced.length < bare.length) bare = bare.slice(introduced.length);
  bare = bare.replace(/^(?:"(?:about|approximately|roughly|exactly|is|so|thus|therefore|hence)" *)+(?=[^ ])/i, '');
  return bare.replace(/^[*_ ]+|[*_ .]+$/g, '');
}

function sameText(a: string, b: string, depth: number): boolean {
  if (depth > MAX_DEPTH) return false;
  const [given, reference] = [listOf(a), listOf(b)];
  // A set with one member is that member.
  if (given.items.length === 1 && reference.items.length === 1 && (given.isSet || reference.isSet)) {
    if (given.isSet && reference.isSet) return sameText(given.items[0]!, reference.items[0]!, depth + 1);
    return sameElement(given.isSet ? given.items[0]! : a, reference.isSet ? reference.items[0]! : b, depth);
  }
  if (given.items.length < 2 && reference.items.length < 2) return sameElement(a, b, depth);
  if (given.items.length !== reference.items.length) return false;
  const unordered = (list: List) => list.isSet || list.brackets === '';
  if (unordered(given) && unordered(reference)) return sameMembers(given.items, reference.items, depth);
  if (given.brackets !== reference.brackets) return false;
  return given.items.every((item, i) => sameText(item, reference.items[i]!, depth + 1));
}

/** Whether each item has a partner of its own among the others. */
function sameMembers(items: readonly string[], others: readonly string[], depth: number): boolean {
  if (items.length > 60) return items.every((item, i) => sameText(item, others[i]!, depth + 1));
  const left = [...others];
  return items.every((item) => {
    const at = left.findIndex((other) => sameText(item, other, depth + 1));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

interface List {
  items: string[];
  /** The opening and the closing bracket; empty for a list without. */
  brackets: string;
  isSet: boolean;
}

/** The parts of `2,9`, `(1,2]`, `\{1,2\}`, `2 or 9`, `±3` and `[0,1)∪(2,3)`; a single value is a list of one. */
function listOf(text: string): List {
  const union = splitOutside(text, '∪');
  if (union.length > 1) return { items: union, brackets: '', isSet: true };
  const bare = splitItems(text);
  if (bare.length > 1) return { items: withNames(bare), brackets: '', isSet: false };
  const signs = text.indexOf('±');
  if (signs >= 0) return { items: ['+', '-'].map((sign) => text.replace(/±/g, sign)), brackets: '', isSet: false };
  // `x ∈ {2,5}` names the set first.
  const value = text.replace(/^[a-zA-Z] *(?:∈|=) *(?=\\\{|[([])/, '').trim();
  const match = /^(\\\{|[([{])(.*?)(\\\}|[)\]}])$/.exec(value);
  if (!match || !wrapsAll(value)) return { items: [text], brackets: '', isSet: false };
  const [, open = '', inside = '', close = ''] = match;
  const isSet = open === '\\{' && close === '\\}';
  const items = splitItems(inside);
  if (items.length < 2 && !isSet) return { items: [text], brackets: '', isSet: false };
  // Braces that only group are no brackets.
  return { items, brackets: open === '{' ? '' : open + close, isSet };
}

/** In `x=2, 5` the second value has the name of the first; names are left out where all the values have the same one. */
function withNames(items: string[]): string[] {
  const names = items.map((item) => /^([a-zA-Z](?:_[a-zA-Z0-9{}]+)?) *= */.exec(item));
  const first = names[0]?.[1];
  if (!first || !names.every((name) => !name || name[1] === first)) return items;
  return items.map((item, i) => item.slice(names[i]?.[0].length ?? 0));
}

/** Whether the bracket at the start closes at the very end. */
function wrapsAll(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ('([{'.includes(text[i]!)) depth++;
    else if (')]}'.includes(text[i]!)) {
      depth--;
      if (depth === 0 && i < text.length - 1) return false;
    }
  }
  return depth === 0;
}

function splitItems(text: string): string[] {
  const rows = splitOutside(text, ';');
  if (rows.length > 1) return rows;
  return splitOutside(text.replace(/"(?:and|or)"/gi, ','), ',');
}

/** Splits at a separator outside brackets; empty parts are left out. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
    else if (character === separator && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)].map((part) => part.trim()).filter((part) => part !== '');
}

function sameElement(given: string, reference: string, depth: number): boolean {
  const [a, b] = [relationOf(given), relationOf(reference)];
  if (a && b) return sameRelation(a, b, depth);
  const value = (relation: Relation | null, text: string) =>
    relation && '=∈≈'.includes(relation.operators.at(-1)!) ? relation.sides.at(-1)! : relation ? null : text;
  const [x, y] = [value(a, given), value(b, reference)];
  if (x === null || y === null) return false;
  // `x∈[-1,4]` leaves an interval.
  if ((a || b) && depth < MAX_DEPTH && listOf(x).items.length + listOf(y).items.length > 2) {
    return sameText(x, y, depth + 1);
  }
  return sameQuantity(x, y);
}

interface Relation {
  sides: string[];
  operators: string[];
}

/** `a = b`, `a < b ≤ c`; null for a value alone. A relation without a left side, `≈ 3`, relates nothing. */
function relationOf(text: string): Relation | null {
  const sides: string[] = [];
  const operators: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) depth--;
    else if (depth === 0 && '=<>≤≥≠≈∈'.includes(character)) {
      let operator = character;
      const end = text[i + 1] === '=' && (character === '<' || character === '>') ? i + 2 : i + 1;
      if (end === i + 2) operator = character === '<' ? '≤' : '≥';
      sides.push(text.slice(start, i).trim());
      operators.push(operator);
      start = end;
      i = end - 1;
    }
  }
  return operators.length === 0 ? null : { sides: [...sides, text.slice(start).trim()], operators };
}

const FLIPPED: Readonly<Record<string, string>> = { '<': '>', '>': '<', '≤': '≥', '≥': '≤' };

function sameRelation(a: Relation, b: Relation, depth: number): boolean {
  const isEquation = (relation: Relation) => relation.operators.every((operator) => operator === '=');
  if (isEquation(a) && isEquation(b)) {
    const [left, right] = [a.sides.slice(-2), b.sides.slice(-2)] as [[string, string], [string, string]];
    if (sameQuantity(left[0], right[0]) && sameText(left[1], right[1], depth + 1)) return true;
    return sameEquation(left, right);
  }
  const matches = (x: Relation, y: Relation) =>
    x.operators.join('') === y.operators.join('') &&
    x.sides.every((side, i) => side === y.sides[i] || sameQuantity(side, y.sides[i]!));
  const turned = {
    sides: [...b.sides].reverse(),
    operators: [...b.operators].reverse().map((operator) => FLIPPED[operator] ?? operator),
  };
  return matches(a, b) || matches(a, turned);
}

interface Quantity {
  value: string;
  /** Known units in short form, as `km/h`; null without a unit, or with words that are no known unit. */
  unit: string | null;
  isPercent: boolean;
}

/** A value, and the unit that follows it. */
function quantityOf(text: string): Quantity {
  const units = /(?: *(?:[/*] *)?(?:"[^"]*"|°|%)(?: *\^(?:\{-?\d\}|-?\d))?)+[ .]*$/.exec(text);
  const value = units ? text.slice(0, units.index).trim() : text;
  // A word alone is the answer, not a unit, and so is one that follows another word.
  if (!units || value === '' || !/[\dπ∞a-zA-Z)}]$/.test(value) || value.includes('"')) {
    return { value: text, unit: null, isPercent: false };
  }
  const words = [...units[0].matchAll(/([/*]?) *(?:"([^"]*)"|(°|%))(?: *(\^(?:\{-?\d\}|-?\d)))?/g)];
  const names = words.map(([, sign = '', word = '', mark = '', power = '']) => {
    const name = unitNamed(mark || word);
    return name === undefined ? null : sign.replace('*', '') + name + power.replace(/[{}]/g, '');
  });
  const unit = names.includes(null) ? null : names.join(' ');
  return { value, unit, isPercent: unit === 'percent' };
}

function sameQuantity(given: string, reference: string): boolean {
  const [a, b] = [quantityOf(given), quantityOf(reference)];
  if (a.unit !== null && b.unit !== null && a.unit !== b.unit) return false;
  if (a.value === b.value) return a.value !== '';
  const [choice, other] = [choiceOf(a.value), choiceOf(b.value)];
  if (choice && other) return choice === other;
  const [x, y] = [normalForm(a.value), normalForm(b.value)];
  if (!x || !y) return !x && !y && sameWords(a.value, b.value);
  if (x.isCalculation && !y.isCalculation) return false;
  if (x.text === y.text) return true;
  // 36% is 36 of a hundred.
  if (a.isPercent === b.isPercent || !x.number || !y.number) return false;
  const [percent, plain] = a.isPercent ? [x.number, y.number] : [y.number, x.number];
  return percent[0] * plain[1] === plain[0] * percent[1] * 100n;
}

/** `(b)` and `B` are one choice of a list; a letter without parentheses may also be a symbol, whose case counts. */
function choiceOf(text: string): string | null {
  const match = /^\( *([a-zA-Z]) *\)$/.exec(text);
  return match ? match[1]!.toUpperCase() : /^[A-Z]$/.test(text) ? text : null;
}

/** As written, apart from spaces and, in words, capitals. */
function sameWords(a: string, b: string): boolean {
  const [x, y] = [spelling(a), spelling(b)];
  return x === y && x !== '';
}

function spelling(text: string): string {
  const bare = text
    .replace(/"[^"]*"/g, (word) => word.toLowerCase())
    .replace(/(\d) +(?=\d)/g, '$1_')
    .replace(/["' ]/g, '')
    .replace(/[.!]+$/, '');
  return bare;
}
