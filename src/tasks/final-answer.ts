/** @file The final answer in free text, as reasoning models give it: boxed, tagged, or the last number. */

/**
 * What follows the thoughts is read first; only when there is no answer in it, or no end to the thoughts, all of the text.
 * The last `\boxed{…}` counts, else the last `<answer>…</answer>`, else the last number. Dollar signs, thousands
 * separators and a full stop at the end are left off.
 * @param text hostile; read in linear time
 * @returns null when there is nothing that could be meant
 */
export function finalAnswer(text: string): string | null {
  const end = text.lastIndexOf('</think>');
  const said = end < 0 ? text : text.slice(end + '</think>'.length);
  return answerIn(said) ?? (end < 0 ? null : answerIn(text.slice(0, end)));
}

function answerIn(text: string): string | null {
  const marked = boxed(text) ?? tagged(text);
  if (marked !== null) return tidy(marked);
  const numbers = text.match(/-?\d[\d,]*(?:\.\d+)?/g);
  return numbers ? tidy(numbers.at(-1)!) : null;
}

/** The inside of the last `\boxed{…}`, with balanced braces. */
function boxed(text: string): string | null {
  const open = '\\boxed{';
  const at = text.lastIndexOf(open);
  if (at < 0) return null;
  let depth = 1;
  for (let i = at + open.length; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === 0) return text.slice(at + open.length, i);
  }
  return null;
}

function tagged(text: string): string | null {
  const open = text.lastIndexOf('<answer>');
  if (open < 0) return null;
  const close = text.indexOf('</answer>', open);
  return close < 0 ? null : text.slice(open + '<answer>'.length, close);
}

function tidy(answer: string): string {
  const plain = answer
    .trim()
    .replace(/^\$+|\$+$/g, '')
    .trim();
  return /^-?[\d,]+(\.\d+)?\.?$/.test(plain) ? plain.replace(/,/g, '').replace(/\.$/, '') : plain;
}
