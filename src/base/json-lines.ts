/** @file JSON lines (.jsonl): one JSON value on each line. */

export interface JsonLine {
  /** Counted from 1, empty lines included, as editors count. */
  number: number;
  /** Undefined when the line is not JSON, which JSON itself can't express. */
  value: unknown;
}

/**
 * The lines of a file that aren't empty, parsed. Accepts a byte order mark and Windows line ends.
 * @param parse throws when a line is not JSON
 */
export function* readJsonLines(text: string, parse: (line: string) => unknown = parseLine): Generator<JsonLine> {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = parse(line);
    } catch {
      value = undefined;
    }
    yield { number: i + 1, value };
  }
}

const parseLine = (line: string): unknown => JSON.parse(line);

/** Each value on a line of its own, ended by a newline. */
export function writeJsonLines(values: Iterable<unknown>): string {
  let text = '';
  for (const value of values) text += `${JSON.stringify(value)}\n`;
  return text;
}
