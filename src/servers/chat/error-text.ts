/** @file The ways in which servers say what went wrong. */
import * as v from 'valibot';
import type { FieldProblem } from '../errors';

/** How tinythink-remote answers a setting that it refuses. */
const fieldProblem = v.object({ field: v.pipe(v.string(), v.regex(/^[\w.]{0,200}$/)), message: v.string() });
const fieldProblemList = v.object({ detail: v.pipe(v.array(fieldProblem), v.maxLength(100)) });

const withMessage = v.object({ message: v.string() });

const shapes = v.union([
  // OpenAI, vLLM, llama.cpp, DeepSeek
  v.pipe(
    v.object({ error: withMessage }),
    v.transform(({ error }) => error.message),
  ),
  // Ollama, TGI, transformers
  v.pipe(
    v.object({ error: v.string() }),
    v.transform(({ error }) => error),
  ),
  // FastAPI
  v.pipe(
    v.object({ detail: v.string() }),
    v.transform(({ detail }) => detail),
  ),
  v.pipe(
    v.object({ detail: v.array(v.object({ msg: v.string() })) }),
    v.transform(({ detail }) => detail.map(({ msg }) => msg).join('; ')),
  ),
  // tinythink-remote
  v.pipe(
    v.object({ detail: v.array(fieldProblem) }),
    v.transform(({ detail }) =>
      detail.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('; '),
    ),
  ),
  // SGLang
  v.pipe(
    withMessage,
    v.transform(({ message }) => message),
  ),
]);

/** The server's own words in an answer that is an error; null for anything else. */
export function errorText(value: unknown): string | null {
  const parsed = v.safeParse(shapes, value);
  return parsed.success ? parsed.output : null;
}

/** The refused settings in an answer of tinythink-remote; empty for any other answer. */
export function fieldProblems(value: unknown): FieldProblem[] {
  const parsed = v.safeParse(fieldProblemList, value);
  return parsed.success ? parsed.output.detail : [];
}

/**
 * The error inside an event of a stream that began well; null when there is none. Proxies send `error` with every event,
 * so one that is empty, false, or made of empty values is no error.
 */
export function errorIn(event: unknown): string | null {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return null;
  const { error, object, type, code } = event as Record<string, unknown>;
  const isError = object === 'error' || type === 'error' || (typeof code === 'number' && code >= 400);
  if (isEmpty(error) && !isError) return null;
  return errorText(event) ?? textsIn(error).join(': ');
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).every(isEmpty);
  return value == null || value === false || value === 0 || (typeof value === 'string' && value.trim() === '');
}

/** The texts directly inside an error of an unknown shape. */
function textsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).filter((each): each is string => typeof each === 'string');
}
