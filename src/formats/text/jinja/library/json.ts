/** @file `tojson` as Transformers has it: Python's json.dumps, without escaping HTML. */
import { Float, floatText, isDict, itemsOf, str, TemplateError, typeName, visit, type Value } from '../values';

export interface JsonStyle {
  indent: number | string | null;
  ensureAscii: boolean;
  sortKeys: boolean;
  separators: readonly [item: string, key: string] | null;
}

/** @throws TemplateError for what JSON doesn't have */
export function toJson(value: Value, style: JsonStyle): string {
  const unit = typeof style.indent === 'number' ? ' '.repeat(Math.max(0, Math.min(style.indent, 100))) : style.indent;
  const [between, colon] = style.separators ?? [unit === null ? ', ' : ',', ': '];
  const write = (item: Value, margin: string): string => {
    visit();
    if (item === null) return 'null';
    if (typeof item === 'boolean') return String(item);
    if (typeof item === 'number') return String(item);
    if (item instanceof Float) return floatJson(item.value);
    if (typeof item === 'string') return text(item, style.ensureAscii);
    const inner = unit === null ? '' : `\n${margin}${unit}`;
    const end = unit === null ? '' : `\n${margin}`;
    const deeper = margin + (unit ?? '');
    const list = itemsOf(item);
    if (list) {
      if (list.length === 0) return '[]';
      return `[${inner}${list.map((each) => write(each, deeper)).join(between + inner)}${end}]`;
    }
    if (isDict(item)) {
      if (item.size === 0) return '{}';
      const entries = [...item].map(([key, each]): [string, Value] => [keyText(key), each]);
      if (style.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : 1));
      const written = entries.map(([key, each]) => text(key, style.ensureAscii) + colon + write(each, deeper));
      return `{${inner}${written.join(between + inner)}${end}}`;
    }
    throw new TemplateError(`Object of type ${typeName(item)} is not JSON serializable`);
  };
  return write(value, '');
}

const keyText = (key: Value): string => (key === null ? 'null' : typeof key === 'boolean' ? String(key) : str(key));

const floatJson = (value: number): string =>
  Number.isNaN(value) ? 'NaN' : Number.isFinite(value) ? floatText(value) : value > 0 ? 'Infinity' : '-Infinity';

const ESCAPED = /["\\]|[^\P{Cc}\x7f-\x9f]/gu;

/** Python leaves lone surrogates and U+007F as they are. */
function text(value: string, ensureAscii: boolean): string {
  const written = value.replace(ESCAPED, (letter) => JSON.stringify(letter).slice(1, -1));
  const ascii = ensureAscii
    ? written.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    : written;
  return `"${ascii}"`;
}
