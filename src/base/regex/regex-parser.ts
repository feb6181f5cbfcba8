/** @file Takes a JavaScript regular expression apart, as far as its running time is concerned (regex-cost.ts). */

export type RegexNode =
  /** Takes one character: a literal, a class, an escape. */
  | { type: 'atom'; source: string }
  /** Takes no character; a lookaround has something inside. */
  | { type: 'assertion'; inner: RegexNode | null; behind: boolean }
  | { type: 'choice'; options: RegexNode[] }
  | { type: 'sequence'; items: RegexNode[] }
  | { type: 'repeat'; item: RegexNode; least: number; most: number };

/** Groups within groups. */
const MAX_DEPTH = 64;
const MAX_LENGTH = 10_000;

const ESCAPE = /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\dA-Fa-f]{4}|x[\dA-Fa-f]{2}|c[A-Za-z]|[^])/y;
const CLASS = /\[(?:\\[^]|[^\]\\])*\]/y;
const QUANTIFIER = /(?:[*+?]|\{(\d+)(,(\d*))?\})\??/y;
const GROUP = /\((?:\?(?:[:=!]|<[=!]|<[^>]*>|[ims]*(?:-[ims]+)?:))?/y;

/**
 * @param source of a RegExp, so it is known to be well-formed
 * @returns null for what isn't taken apart: back-references, and patterns that are too long or too deep
 */
export function parseRegex(source: string): RegexNode | null {
  if (source.length > MAX_LENGTH) return null;
  let at = 0;
  const read = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found) at += found[0].length;
    return found;
  };

  function choice(depth: number): RegexNode | null {
    if (depth > MAX_DEPTH) return null;
    const options: RegexNode[] = [];
    for (;;) {
      const option = sequence(depth);
      if (!option) return null;
      options.push(option);
      if (source[at] !== '|') return options.length === 1 ? option : { type: 'choice', options };
      at++;
    }
  }

  function sequence(depth: number): RegexNode | null {
    const items: RegexNode[] = [];
    while (at < source.length && source[at] !== '|' && source[at] !== ')') {
      const item = term(depth);
      if (!item) return null;
      const quantifier = read(QUANTIFIER);
      items.push(quantifier ? repeat(item, quantifier) : item);
    }
    return { type: 'sequence', items };
  }

  function term(depth: number): RegexNode | null {
    const character = String.fromCodePoint(source.codePointAt(at)!);
    if (character === '(') {
      const [opening] = read(GROUP)!;
      const inner = choice(depth + 1);
      at++;
      const lookaround = /^\(\?(<?)[=!]$/.exec(opening);
      return inner && lookaround ? { type: 'assertion', inner, behind: lookaround[1] === '<' } : inner;
    }
    if (character === '[') return { type: 'atom', source: read(CLASS)![0] };
    if (character === '\\') {
      const [escape] = read(ESCAPE)!;
      if (/^\\[bB]$/.test(escape)) return { type: 'assertion', inner: null, behind: false };
      return /^\\[1-9k]$/.test(escape) ? null : { type: 'atom', source: escape };
    }
    at += character.length;
    if (character === '^' || character === '$') return { type: 'assertion', inner: null, behind: false };
    return { type: 'atom', source: character };
  }

  return choice(0);
}

function repeat(item: RegexNode, [text, least, range, most]: RegExpExecArray): RegexNode {
  if (text.startsWith('*')) return { type: 'repeat', item, least: 0, most: Infinity };
  if (text.startsWith('+')) return { type: 'repeat', item, least: 1, most: Infinity };
  if (text.startsWith('?')) return { type: 'repeat', item, least: 0, most: 1 };
  const end = range === undefined ? Number(least) : most ? Number(most) : Infinity;
  return { type: 'repeat', item, least: Number(least), most: end };
}

/** Whether it can match without taking a character. */
export function canBeEmpty(node: RegexNode): boolean {
  switch (node.type) {
    case 'atom':
      return false;
    case 'assertion':
      return true;
    case 'choice':
      return node.options.some(canBeEmpty);
    case 'sequence':
      return node.items.every(canBeEmpty);
    case 'repeat':
      return node.least === 0 || canBeEmpty(node.item);
  }
}
