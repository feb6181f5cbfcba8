/**
 * @file Finds the final answer in free text: what is boxed or tagged, what follows a phrase such as "the answer is", or
 * else the last value. Reads in linear time. remote/…/free_text.py is the same in Python.
 */
import { spellOutCharacters, unitNamed } from './notation';

/** Longer lines are read in part: their end for the last value, their beginning after "the answer is". */
const MAX_LINE = 2000;
/** How many times "answer" is looked up, from the end of the text. */
const MAX_PHRASES = 40;

/** What the text marks as its answer: the last `\boxed{…}`, `<answer>…</answer>` or `#### …`; null without a mark. */
export function markedAnswer(text: string): string | null {
  const marks = [boxedSpan(text), taggedSpan(text), hashSpan(text)].filter((span) => span !== null);
  if (marks.length === 0) return null;
  return marks.reduce((last, span) => (span.end > last.end ? span : last)).inside;
}

/** What follows "the answer is"; else the last value; null when the text has neither. */
export function unmarkedAnswer(text: string): string | null {
  const spelled = spellOutCharacters(text);
  return announcedAnswer(spelled) ?? lastValue(spelled);
}

/** The value in a short text that has exactly one, such as `42` in "42 marbles"; null otherwise. */
export function onlyValue(text: string): string | null {
  const values = spellOutCharacters(text)
    .split('\n')
    .flatMap((line) => valuesIn(line.slice(0, MAX_LINE)));
  return values.length === 1 ? values[0]!.value : null;
}

interface Span {
  start: number;
  end: number;
  inside: string;
}

/** The last `\boxed{…}` that closes, with balanced braces; boxes that are joined by "and" or a comma are one list. */
export function boxedSpan(text: string): Span | null {
  if (!text.includes('\\boxed') && !text.includes('\\fbox')) return null;
  const open = /\\(?:boxed|fbox) *(?=\{)/y;
  /** For each open brace: where its box begins, where its inside begins; null for other braces. */
  const braces: ({ start: number; inside: number } | null)[] = [];
  let boxesOpen = 0;
  const boxes: Span[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '\\') {
      open.lastIndex = at;
      const match = open.exec(text);
      if (match) {
        at += match[0].length;
        braces.push({ start: at - match[0].length, inside: at + 1 });
        boxesOpen++;
      } else at++;
    } else if (character === '{') braces.push(null);
    else if (character === '}') {
      const box = braces.pop();
      if (box) {
        boxesOpen--;
        // Only the outermost of nested boxes counts, unless it never closes.
        while (boxes.length > 0 && boxes.at(-1)!.start > box.start) boxes.pop();
        boxes.push({ start: box.start, end: at + 1, inside: text.slice(box.inside, at) });
        if (boxes.length > 8 && boxesOpen === 0) boxes.splice(0, boxes.length - 8);
      }
    }
  }
  const last = boxes.pop();
  if (!last) return bareBox(text);
  const joined = [last];
  while (boxes.length > 0) {
    const between = text.slice(boxes.at(-1)!.end, joined[0]!.start);
    if (between.length > 20 || !/^[\s$]*(?:,|and|or|, *and|, *or|\\text\{ (?:and|or) \})[\s$]*$/.test(between)) break;
    joined.unshift(boxes.pop()!);
  }
  return { ...last, inside: joined.map(({ inside }) => inside).join(', ') };
}

/** `\boxed 7`, without braces. */
function bareBox(text: string): Span | null {
  const start = text.lastIndexOf('\\boxed');
  const match = /^\\boxed +([-\d.,]*\d)/.exec(text.slice(start, start + 100));
  return start >= 0 && match ? { start, end: start + match[0].length, inside: match[1]! } : null;
}

/** The last `<answer>…</answer>`. */
export function taggedSpan(text: string): Span | null {
  const close = text.lastIndexOf('</answer>');
  const start = close < 0 ? -1 : text.lastIndexOf('<answer>', close);
  if (start < 0) return null;
  return { start, end: close + '</answer>'.length, inside: text.slice(start + '<answer>'.length, close) };
}

/** The rest of the line after the last `####`, as GSM8K writes its answers. */
function hashSpan(text: string): Span | null {
  const start = text.lastIndexOf('####');
  if (start < 0) return null;
  const line = /^[^\n]*/.exec(text.slice(start + 4))![0];
  // Headings of Markdown have as many hashes, and words.
  if (!/^ *[-+$\\(]*[\d\\.]/.test(line)) return null;
  return { start, end: start + 4 + line.length, inside: line };
}

const ANNOUNCED = /^s?[*_\s]{0,8}(?:to (?:the|this) [a-z]{1,20} )?(?:is|are|was|:|=)[*_:\s]{0,8}/i;

function announcedAnswer(text: string): string | null {
  const lower = text.toLowerCase();
  let at = lower.length;
  for (let i = 0; i < MAX_PHRASES && at >= 0; i++) {
    at = at === 0 ? -1 : lower.lastIndexOf('answer', at - 1);
    if (at < 0) return null;
    const rest = text.slice(at + 'answer'.length, at + 'answer'.length + MAX_LINE);
    const phrase = ANNOUNCED.exec(rest);
    if (!phrase) continue;
    const value = firstValue(rest.slice(phrase[0].length));
    if (value !== null) return value;
  }
  return null;
}

/** The value with which a sentence begins or, in `6 × 7 = 42`, that it comes to. */
function firstValue(text: string): string | null {
  const line = /^[^\n]*/.exec(text)![0];
  const choice = /^\(?([A-J])\)?(?![A-Za-z0-9'^_+*/=-])(?! [a-z])/.exec(line);
  if (choice) return choice[1]!;
  const values = valuesIn(line);
  const first = values[0];
  if (!first) return null;
  let last = first;
  for (const next of values.slice(1)) {
    const between = line.slice(last.end, next.start);
    if (/^ *(?:[-+*/×·÷=≈−]|\\times|\\cdot|\\approx) *$/.test(between)) last = next;
    else if (/^(?:, *|,? (?:and|or) )$/.test(between) && !/[=≈]/.test(line.slice(first.start, last.end))) last = next;
    else break;
  }
  if (last === first) return first.value;
  const span = line.slice(first.start, last.end);
  return /[=≈]/.test(span) || span.includes('\\approx') ? last.value : span;
}

/** The last value of the text: a number with all that belongs to it, or a formula in dollars. */
function lastValue(text: string): string | null {
  let end = text.length;
  while (end > 0) {
    const start = text.lastIndexOf('\n', end - 1) + 1;
    const line = text.slice(Math.max(start, end - MAX_LINE), end);
    // A remark such as "(see step 2)" is not the answer, unless there is nothing else.
    const value = valuesIn(withoutRemarks(line)).at(-1) ?? valuesIn(line).at(-1);
    if (value) return value.value;
    end = start - 1;
  }
  return null;
}

/** Without parentheses that hold words, as long as they follow something. */
function withoutRemarks(line: string): string {
  return line.replace(/ \([^()]*\)/g, (remark) =>
    /[a-zA-Z]{3}/.test(remark) && !remark.includes('\\') ? ' ' : remark,
  );
}

interface Value {
  start: number;
  end: number;
  value: string;
}

const FORMULA = /\$\$([^$]+)\$\$|\$(?! )((?:[^$\\]|\\[^\n])*?[^$ \\])\$(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]/g;

/** Every value in a line, in order. */
function valuesIn(line: string): Value[] {
  const values: Value[] = [];
  let at = 0;
  for (const match of line.includes('$') || line.includes('\\') ? line.matchAll(FORMULA) : []) {
    values.push(...plainValues(line, at, match.index));
    const inside = match[1] ?? match[2] ?? match[3] ?? match[4]!;
    const end = match.index + match[0].length;
    const value = formulaValue(inside);
    if (value !== null) values.push({ start: match.index, end, value });
    at = end;
  }
  values.push(...plainValues(line, at, line.length));
  return values;
}

const HAS_VALUE = /\d|π|∞|\\pi|\\infty|\\sqrt|\\emptyset|\\varnothing/;

/** What a formula comes to: its last side. A list of equations, `x=2, y=3`, is kept whole. */
function formulaValue(formula: string): string | null {
  if (!HAS_VALUE.test(formula)) return null;
  const sides = formula.split(/(?<![<>!\\])=|≈|\\approx(?![a-zA-Z])/);
  if (sides.length === 1 || sides.slice(1, -1).some((side) => /,(?! *\\?!?\d{3})/.test(side))) return formula.trim();
  return (sides.toReversed().find((side) => HAS_VALUE.test(side)) ?? formula).trim();
}

/** Values outside formulas, between two positions of the line. */
function plainValues(line: string, from: number, to: number): Value[] {
  const values: Value[] = [];
  let at = from;
  while (at < to) {
    const end = valueEnd(line, at, to);
    if (end > at) {
      const value = line.slice(at, end);
      if (HAS_VALUE.test(value)) values.push({ start: at, end, value });
      at = end;
      continue;
    }
    // A word with its digits, as in `H2O` and `cm^2`, is no value.
    const skipped = WORD.exec(line.slice(at, Math.min(to, at + 60)));
    at += skipped ? skipped[0].length : 1;
  }
  return values;
}

const WORD = /^(?:[a-zA-Z][a-zA-Z0-9']*(?:\^\{?-?\d+\}?|[²³])?|[\^_]\{?-?\w+\}?)/;
const NUMBER = String.raw`(?:\d+(?:(?:,|\{,\}|\\,|,\\!|~|[\u00a0\u2009\u202f])\d+)*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?`;
const GROUP = String.raw`\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}`;
const COMMAND = String.raw`\\(?:[dtc]?frac *(?:${GROUP}|\d) *(?:${GROUP}|\d)|sqrt *(?:\[\d+\])? *(?:${GROUP}|\d)|pi(?![a-zA-Z])|infty(?![a-zA-Z]))`;
const FACTOR = `(?:${NUMBER}|${COMMAND}|[π∞]|√(?:\\d+|\\([^()]*\\)))`;
const POWER = String.raw`(?:\^(?:${GROUP}|\([^()]*\)|-?\w+)|_(?:\{\w+\}|\w+)|[²³])`;
const START = new RegExp(String.raw`^(?:[-+−] ?)?(?:\\?[$€£] ?)?(?:${FACTOR}|[a-zA-Z](?=[-+*/^]))`);
const SIGN = /^[-+−]/;
/** What goes on a value: powers, factors beside it, fractions, ratios, mixed numbers, powers of ten, percent, degrees. */
const MORE = new RegExp(
  '^(?:' +
    [
      POWER,
      String.raw` ?\/ ?(?:${FACTOR}|\()?(?<=[\d}π)])`,
      COMMAND,
      '[π∞]',
      '√(?:\\d+|\\([^()]*\\))',
      String.raw`:\d+`,
      String.raw` \d+\/\d+(?!\/)`,
      String.raw` ?(?:×|x|\\times|\\cdot|\*|·) ?10\^(?:\{-?\d+\}|-?\d+)`,
      String.raw` ?\\?%`,
      String.raw` ?°[CF]?|\^\{?\\circ\}?|\\degree`,
      String.raw`[-+*−](?=[\d(\\a-zA-Z])(?:${FACTOR}|[a-zA-Z](?![a-zA-Z]))`,
    ].join('|') +
    ')',
);
const LETTER_FACTOR = /^[a-zA-Z]+/;
const UNIT_AFTER = /^ ([a-zA-Z]{2,12})(?:\^\{?-?\d\}?|[²³])?(?![a-zA-Z])/;

/** Where the value ends that begins at a position; the position itself when none does. */
function valueEnd(line: string, at: number, to: number): number {
  const rest = line.slice(at, Math.min(to, at + 500));
  const start = START.exec(rest);
  if (!start) return at;
  // In `10-3` and `x -3` the sign is an operator; a sign alone with a space is one, too, unless nothing comes before.
  if (SIGN.test(rest)) {
    const before = line.slice(Math.max(0, at - 2), at);
    if (/[\w)}]$/.test(before) || (/^. /.test(rest) && !/(?:^|[=(:$]) ?$/.test(line.slice(0, at)))) return at;
  }
  let end = start[0].length;
  for (;;) {
    const more = MORE.exec(rest.slice(end));
    if (more && more[0] !== '' && more[0].trim() !== '/') {
      end += more[0].length;
      continue;
    }
    const letters = LETTER_FACTOR.exec(rest.slice(end))?.[0] ?? '';
    if (letters === '' || /^(?:st|nd|rd|th)$/.test(letters)) break;
    // `2x` and `36cm` go on; in `5and` a word begins.
    if (letters.length > 2 && unitNamed(letters) === undefined) break;
    end += letters.length;
  }
  const unit = UNIT_AFTER.exec(rest.slice(end));
  if (unit && unit[1] !== 'in' && unitNamed(unit[1]!) !== undefined) end += unit[0].length;
  return at + end;
}
