/**
 * @file A template in tokens, as Jinja's lexer (jinja2/lexer.py) makes them with Transformers' settings: `trim_blocks`,
 * `lstrip_blocks`, and no newline at the end.
 */
import { TemplateError } from './values';

export type Token =
  | { kind: 'data' | 'name' | 'string' | 'operator'; text: string }
  | { kind: 'integer' | 'float'; text: string; value: number }
  | { kind: 'begin' | 'end'; text: 'block' | 'variable' };

const OPENING = /\{\{|\{%|\{#/g;
const RAW = /^\{%([-+]?)\s*raw\s*(?:-%\}\s*|%\}\n?)/;
const RAW_END = /\{%([-+]?)\s*endraw\s*(?:\+%\}|-%\}\s*|%\}\n?)/g;
const COMMENT_END = /(?:\+#\}|-#\}\s*|#\}\n?)/g;
const BLOCK_END = /(?:\+%\}|-%\}\s*|%\}\n?)/y;
const VARIABLE_END = /(?:-\}\}\s*|\}\})/y;
const SPACE = /\s+/y;
const NAME = /[\p{L}_][\p{L}\p{M}\p{N}_]*/uy;
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const INTEGER = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const STRING = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;

/** @throws TemplateError for text that can't be a template */
export function tokenize(template: string): Token[] {
  const source = template.replace(/\r\n|\r/g, '\n').replace(/\n$/, '');
  const tokens: Token[] = [];
  let at = 0;
  /** Whether what was read last ended a line, or nothing was read yet. */
  let lineStarts = true;
  const advance = (to: number) => {
    if (to > at) lineStarts = source[to - 1] === '\n';
    at = to;
  };
  const data = (text: string) => text !== '' && tokens.push({ kind: 'data', text });

  while (at < source.length) {
    OPENING.lastIndex = at;
    const opening = OPENING.exec(source);
    if (!opening) {
      data(source.slice(at));
      break;
    }
    const begin = opening.index;
    const kind = opening[0] === '{{' ? 'variable' : opening[0] === '{%' ? 'block' : 'comment';
    const sign = /[-+]/.test(source[begin + 2] ?? '') ? source[begin + 2]! : '';
    data(before(source.slice(at, begin), sign, kind !== 'variable', lineStarts));
    const raw = kind === 'block' ? RAW.exec(source.slice(begin, begin + 1000)) : null;
    if (raw) {
      advance(begin + raw[0].length);
      RAW_END.lastIndex = at;
      const end = RAW_END.exec(source);
      if (!end) throw new TemplateError('Missing end of raw directive');
      data(before(source.slice(at, end.index), end[1]!, true, lineStarts));
      advance(end.index + end[0].length);
    } else if (kind === 'comment') {
      COMMENT_END.lastIndex = begin + 2;
      const end = COMMENT_END.exec(source);
      if (!end) throw new TemplateError('Missing end of comment tag');
      advance(end.index + end[0].length);
    } else {
      tokens.push({ kind: 'begin', text: kind });
      advance(begin + 2 + sign.length);
      advance(inside(source, at, kind, tokens));
    }
  }
  return tokens;
}

/** The text before a tag, without the space that the tag removes. */
function before(text: string, sign: string, stripsLine: boolean, lineStarts: boolean): string {
  if (sign === '-') return text.trimEnd();
  if (sign === '+' || !stripsLine) return text;
  const line = text.lastIndexOf('\n') + 1;
  return (line > 0 || lineStarts) && /^\s+$/.test(text.slice(line)) ? text.slice(0, line) : text;
}

/** Reads a tag's tokens and its end. @returns where it ends */
function inside(source: string, begin: number, kind: 'block' | 'variable', tokens: Token[]): number {
  const ending = kind === 'block' ? BLOCK_END : VARIABLE_END;
  const brackets: string[] = [];
  let at = begin;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0] ?? null;
    if (text !== null) at += text.length;
    return text;
  };
  while (at < source.length) {
    if (brackets.length === 0 && match(ending) !== null) {
      tokens.push({ kind: 'end', text: kind });
      return at;
    }
    if (match(SPACE) !== null) continue;
    const isMember = source[at - 1] === '.';
    let text = isMember ? null : match(FLOAT);
    if (text !== null) {
      tokens.push({ kind: 'float', text, value: Number(text.replaceAll('_', '')) });
    } else if ((text = match(INTEGER)) !== null) {
      tokens.push({ kind: 'integer', text, value: Number(text.replaceAll('_', '')) });
    } else if ((text = match(NAME)) !== null) {
      tokens.push({ kind: 'name', text });
    } else if ((text = match(STRING)) !== null) {
      tokens.push({ kind: 'string', text: unescape(text.slice(1, -1)) });
    } else if ((text = match(OPERATOR)) !== null) {
      if ('([{'.includes(text)) brackets.push(text);
      else if (')]}'.includes(text)) close(brackets, text);
      tokens.push({ kind: 'operator', text });
    } else {
      throw new TemplateError(`unexpected char ${JSON.stringify(source[at])} at ${at}`);
    }
  }
  throw new TemplateError('unexpected end of template');
}

function close(brackets: string[], bracket: string): void {
  const expected = { '(': ')', '[': ']', '{': '}' }[brackets.pop() ?? ''];
  if (expected === undefined) throw new TemplateError(`unexpected '${bracket}'`);
  if (expected !== bracket) throw new TemplateError(`unexpected '${bracket}', expected '${expected}'`);
}

const SIMPLE: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

/** Python's escapes; what isn't one stays as it is written. */
function unescape(text: string): string {
  return text.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (whole, x?: string, u?: string, long?: string, octal?: string, other?: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) {
        const code = parseInt(hex, 16);
        if (code > 0x10ffff) throw new TemplateError('illegal Unicode character');
        return String.fromCodePoint(code);
      }
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      if (other === 'x' || other === 'u' || other === 'U') throw new TemplateError(`truncated \\${other} escape`);
      return SIMPLE[other!] ?? whole;
    },
  );
}
