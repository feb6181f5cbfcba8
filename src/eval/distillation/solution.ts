/** @file Reads a teacher's answer: its reasoning and its final answer. */
import { finalAnswer } from '../../tasks/answer';

export interface Solution {
  reasoning: string;
  answer: string;
}

/**
 * Separates the reasoning from the final answer.
 * @param text hostile; read in linear time
 * @param short write the reasoning in the small models' notation: semicolons between steps, no spaces around operators
 */
export function readSolution(text: string, short = false): Solution | null {
  const answer = finalAnswer(text);
  if (answer === null) return null;
  const reasoning = reasoningOf(text, answer).trim();
  return { reasoning: short ? inShort(reasoning) : reasoning, answer };
}

function reasoningOf(text: string, answer: string): string {
  const close = '</think>';
  // The format of the small models counts first, whatever the model thought before it.
  const tag = text.lastIndexOf('<answer>');
  const before = text.lastIndexOf(close, tag);
  if (tag >= 0 && before >= 0 && text.slice(before + close.length, tag).trim() === '') {
    return insideThink(text.slice(0, before));
  }
  const end = text.lastIndexOf(close);
  const thoughts = end < 0 ? '' : insideThink(text.slice(0, end));
  if (thoughts.trim() !== '') return thoughts;
  // Without thoughts, the reasoning is what the model writes before its answer.
  const said = text.slice(end < 0 ? 0 : end + close.length);
  const marks = [said.lastIndexOf('\\boxed{'), said.lastIndexOf('<answer>')].filter((at) => at >= 0);
  if (marks.length > 0) return said.slice(0, Math.max(...marks));
  // An answer alone has nothing before it.
  return said.replace(/[\s*$.]/g, '') === answer.replace(/[\s*$.]/g, '') ? '' : said;
}

/** The text after the last opening tag, which may be missing because the model's template wrote it. */
function insideThink(text: string): string {
  const open = text.lastIndexOf('<think>');
  return open < 0 ? text : text.slice(open + '<think>'.length);
}

const inShort = (text: string): string =>
  text
    .replace(/[×·]/g, '*')
    .replace(/[−–]/g, '-')
    .split(/[\n;]/)
    .map((step) =>
      step
        .replace(/[^\S\n]+/g, ' ')
        .replace(/ ?([-+*=]) ?/g, '$1')
        .trim(),
    )
    .filter((step) => step !== '')
    .join(';');
