/** @file Problems that a person brings: a JSON object a line, as the files of AIME, MATH-500 and GSM8K have them. */
import { readJsonLines } from '../base/json-lines';
import { finalAnswer } from '../tasks/answer';

export interface FileProblem {
  problem: string;
  /** The final answer alone. */
  answer: string;
}

/** In bytes. */
export const MAX_FILE = 20_000_000;
export const MAX_PROBLEMS = 10_000;
const MAX_TEXT = 20_000;
/** Errors that a message lists. */
const LISTED = 3;

/** What is wrong with a file, line by line, as a message for the user. */
export class ProblemFileError extends Error {
  override name = 'ProblemFileError';
}

/**
 * Reads a problem from each line: `problem`, `question` or `prompt`, and `answer`; in the answer, what follows `####` or
 * stands in `\boxed{}` counts, where there is one. Other keys are left alone.
 * @param text hostile
 * @throws ProblemFileError
 */
export function parseProblems(text: string): FileProblem[] {
  const problems: FileProblem[] = [];
  const errors: string[] = [];
  for (const { number, value } of readJsonLines(text, parseWithWrittenNumbers)) {
    if (problems.length === MAX_PROBLEMS) throw new ProblemFileError(`There are more than ${MAX_PROBLEMS} problems.`);
    const read = readProblem(value);
    if (typeof read === 'string') errors.push(`Line ${number}: ${read}`);
    else problems.push(read);
  }
  if (errors.length > 0) {
    const more = errors.length > LISTED ? ` And ${errors.length - LISTED} more.` : '';
    throw new ProblemFileError(errors.slice(0, LISTED).join(' ') + more);
  }
  if (problems.length === 0)
    throw new ProblemFileError('There is no problem in it: one JSON object a line is expected.');
  return problems;
}

/** The problem, or what is wrong with the line, as a sentence. */
function readProblem(value: unknown): FileProblem | string {
  if (value === undefined) return 'this is not JSON.';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return 'an object is expected, as {"problem": "…", "answer": "…"}.';
  }
  // Some files write their keys with capitals.
  const fields = new Map(Object.entries(value).map(([name, each]): [string, unknown] => [name.toLowerCase(), each]));
  const problem = ['problem', 'question', 'prompt'].map((name) => fields.get(name)).find((each) => each !== undefined);
  if (typeof problem !== 'string' || problem.trim() === '')
    return 'there is no text in “problem”, “question” or “prompt”.';
  const given = writtenText(fields.get('answer'));
  if (given === null) return '“answer” must be a text or a number.';
  if (problem.length > MAX_TEXT || given.length > MAX_TEXT) return `a text is longer than ${MAX_TEXT} characters.`;
  const answer = reference(given);
  return answer ? { problem: problem.trim(), answer } : 'there is no final answer in “answer”.';
}

/**
 * Parses JSON with each number as `{"number": "…"}`: a number is meant digit for digit, but JSON.parse alone rounds it to a
 * double.
 */
function parseWithWrittenNumbers(json: string): unknown {
  JSON.parse(json);
  const written = json.replace(/"(?:[^"\\]|\\.)*"|-?\d[-+.\deE]*/g, (token) =>
    token.startsWith('"') ? token : `{"number":"${token}"}`,
  );
  return JSON.parse(written);
}

/** A text, or a number as it is written; null for anything else. */
function writtenText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null || !('number' in value)) return null;
  return typeof value.number === 'string' ? value.number : null;
}

function reference(text: string): string | null {
  const mark = text.lastIndexOf('####');
  if (mark >= 0) return text.slice(mark + 4).trim();
  return text.includes('\\boxed{') ? finalAnswer(text) : text.trim();
}
