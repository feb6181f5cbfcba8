/**
 * @file What tokenizer.json and its config may hold. They come from anywhere, and the tokenizers library trusts them: an id
 * of a billion becomes an array of that length, and a pattern that backtracks for ages stops the thread it runs on. So
 * they are checked before a tokenizer is built. Each limit is far above what published models have.
 */
import { regexCost } from '../../base/regex/regex-cost';
import { canBeEmpty, parseRegex } from '../../base/regex/regex-parser';

/** A tokenizer that can't be read, or a chat template that fails. */
export class TokenizerError extends Error {
  override name = 'TokenizerError';
}

/** Ids are below this; the largest published vocabularies have about 900,000 tokens. */
export const MAX_TOKEN_ID = 1 << 20;
const MAX_MERGES = 1 << 21;
const MAX_ADDED_TOKENS = 100_000;
const MAX_SPECIAL_TOKENS = 10_000;
/** In UTF-16 units; the longest published tokens are runs of some hundred spaces. */
const MAX_TOKEN_LENGTH = 4096;
/** Of all tokens together. */
const MAX_VOCABULARY_LENGTH = 1 << 25;
/** Normalizers and the like, which may hold lists of others. */
const MAX_STEPS = 200;
const MAX_STEP_DEPTH = 16;
/** SentencePiece's table of replacements has some 300,000 characters. */
const MAX_STEP_TEXT = 4_000_000;
/** How many times as long as a text its normalized form may be. */
const MAX_GROWTH = 64;
/** In a word; WordPiece takes their cube. */
const MAX_WORD_CHARACTERS = 1000;
const MAX_TEMPLATE_LENGTH = 1 << 18;

type Json = Record<string, unknown>;

/** The parts of tokenizer.json that say what happens to a text, and the key under which each holds a list of others. */
const steps = {
  normalizer: 'normalizers',
  pre_tokenizer: 'pretokenizers',
  post_processor: 'processors',
  decoder: 'decoders',
} as const;

/**
 * @returns the number of ids that a model needs for them: the largest and one
 * @throws TokenizerError naming what is wrong and where
 */
export function checkTokenizer(tokenizer: Json, config: Json): number {
  const added = tokenizer.added_tokens ?? [];
  if (!Array.isArray(added)) throw new TokenizerError('tokenizer.json: added_tokens must be a list');
  checkCount('added_tokens', added.length, MAX_ADDED_TOKENS);
  let size = checkModel(tokenizer.model);
  for (const token of added as unknown[]) {
    if (!isObject(token)) throw new TokenizerError('tokenizer.json: added_tokens must hold objects');
    checkToken(token.content);
    size = Math.max(size, checkId(token.content as string, token.id) + 1);
  }
  const special = config.additional_special_tokens;
  if (Array.isArray(special)) checkCount('additional_special_tokens', special.length, MAX_SPECIAL_TOKENS);
  for (const [part, list] of Object.entries(steps)) checkSteps(part, list, tokenizer[part] ?? null);
  return size;
}

/** @throws TokenizerError when a chat template is longer than any that is honest */
export function checkTemplate(template: string): void {
  if (template.length <= MAX_TEMPLATE_LENGTH) return;
  throw new TokenizerError(
    `the chat template has ${template.length} characters; up to ${MAX_TEMPLATE_LENGTH} are read`,
  );
}

/**
 * @param built the parts of a tokenizer that change or split texts, as the library has built them
 * @throws TokenizerError when one of their patterns would backtrack for ages
 */
export function checkPatterns(built: readonly unknown[]): void {
  const seen = new Set<unknown>();
  const waiting = [...built];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (value instanceof RegExp) checkPattern(value);
    else if ((isObject(value) || Array.isArray(value) || typeof value === 'function') && !seen.has(value)) {
      seen.add(value);
      for (const inner of Object.values(value as Json)) waiting.push(inner);
    }
  }
}

function checkPattern(pattern: RegExp): void {
  if (regexCost(pattern) === 'linear') return;
  throw new TokenizerError(
    `tokenizer.json: the pattern ${JSON.stringify(pattern.source.slice(0, 100))} could run for hours on some texts, so this tokenizer isn't used`,
  );
}

/** @returns the largest id and one */
function checkModel(model: unknown): number {
  if (!isObject(model)) throw new TokenizerError('tokenizer.json has no model');
  const { vocab, merges, max_input_chars_per_word: word = 1 } = model;
  if (!isCount(word, MAX_WORD_CHARACTERS)) {
    throw new TokenizerError(`tokenizer.json: max_input_chars_per_word must be from 1 to ${MAX_WORD_CHARACTERS}`);
  }
  let count = 0;
  let length = 0;
  let size = 0;
  const take = (token: unknown, id: unknown) => {
    checkToken(token);
    size = Math.max(size, checkId(token as string, id) + 1);
    length += (token as string).length;
    if (++count > MAX_TOKEN_ID) checkCount('model.vocab', count, MAX_TOKEN_ID);
  };
  if (Array.isArray(vocab)) {
    vocab.forEach((piece: unknown, id) => {
      if (!Array.isArray(piece) || typeof piece[1] !== 'number') {
        throw new TokenizerError('tokenizer.json: model.vocab must hold pairs of a token and its score');
      }
      take(piece[0], id);
    });
  } else if (isObject(vocab)) {
    for (const token in vocab) take(token, vocab[token]);
  }
  if (count === 0) throw new TokenizerError('tokenizer.json: model.vocab holds no tokens');
  checkCount('characters in model.vocab', length, MAX_VOCABULARY_LENGTH);
  if (merges === undefined) {
    if (model.type === 'BPE') throw new TokenizerError('tokenizer.json: model.merges is missing');
    return size;
  }
  if (!Array.isArray(merges)) throw new TokenizerError('tokenizer.json: model.merges must be a list');
  checkCount('model.merges', merges.length, MAX_MERGES);
  const inPairs = Array.isArray(merges[0]);
  const isMerge = (merge: unknown) =>
    inPairs
      ? Array.isArray(merge) && merge.length === 2 && typeof merge[0] === 'string' && typeof merge[1] === 'string'
      : typeof merge === 'string';
  const wrong = merges.findIndex((merge) => !isMerge(merge));
  if (wrong >= 0) throw new TokenizerError(`tokenizer.json: merge ${wrong} of model.merges is not a pair of tokens`);
  return size;
}

function checkToken(token: unknown): void {
  if (typeof token !== 'string') throw new TokenizerError('tokenizer.json holds a token that is not text');
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new TokenizerError(
      `tokenizer.json holds a token of ${token.length} characters; up to ${MAX_TOKEN_LENGTH} are read`,
    );
  }
}

function checkId(token: string, id: unknown): number {
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < MAX_TOKEN_ID) return id;
  throw new TokenizerError(
    `tokenizer.json gives the token ${JSON.stringify(token.slice(0, 60))} the id ${JSON.stringify(id) ?? 'undefined'}; ids are whole numbers from 0 to ${MAX_TOKEN_ID - 1}`,
  );
}

function checkCount(what: string, count: number, most: number): void {
  if (count > most) throw new TokenizerError(`tokenizer.json: ${count} ${what}; up to ${most} are read`);
}

function checkSteps(part: string, list: string, value: unknown): void {
  let count = 0;
  /** How many times as long a text can be after this step. */
  const growth = (step: unknown, depth: number): number => {
    if (step === null) return 1;
    if (!isObject(step)) throw new TokenizerError(`tokenizer.json: ${part} must be an object`);
    checkCount(`steps in ${part}`, ++count, MAX_STEPS);
    checkCount(`lists within lists in ${part}`, depth, MAX_STEP_DEPTH);
    for (const text of textsOf(step)) checkCount(`characters in a step of ${part}`, text.length, MAX_STEP_TEXT);
    const inner = step[list];
    if (step.type === 'Sequence') {
      if (!Array.isArray(inner)) throw new TokenizerError(`tokenizer.json: ${part}.${list} must be a list`);
      return (inner as unknown[]).reduce<number>((factor, each) => factor * growth(each, depth + 1), 1);
    }
    if (step.type === 'FixedLength' && !isCount(step.length, MAX_STEP_TEXT)) {
      throw new TokenizerError(`tokenizer.json: the length of FixedLength must be a whole number from 1`);
    }
    if (step.type === 'TemplateProcessing' && !Array.isArray(step.single)) {
      throw new TokenizerError('tokenizer.json: post_processor.single must be a list');
    }
    return replacementGrowth(step);
  };
  const factor = growth(value, 0);
  if (factor > MAX_GROWTH) {
    throw new TokenizerError(
      `tokenizer.json: ${part} can make a text ${factor} times as long; up to ${MAX_GROWTH} is accepted`,
    );
  }
}

/** How many times as long a replacement can be as what it replaces. */
function replacementGrowth({ type, pattern, content, str_rep }: Json): number {
  const lengthOf = (text: unknown) => (typeof text === 'string' ? text.length : 0);
  if (type === 'Metaspace') return Math.max(1, lengthOf(str_rep));
  if (type !== 'Replace' || !isObject(pattern)) return 1;
  if (lengthOf(pattern.String) > 0) return Math.max(1, lengthOf(content) / lengthOf(pattern.String));
  // A match is at least one character, or none: then the replacement comes beside every character.
  return matchesNothing(pattern.Regex) ? 1 + lengthOf(content) : Math.max(1, lengthOf(content));
}

/** Whether a pattern matches at a place without taking a character; true where JavaScript can't tell. */
function matchesNothing(source: unknown): boolean {
  if (typeof source !== 'string') return true;
  try {
    const parsed = parseRegex(new RegExp(source, 'u').source);
    return !parsed || canBeEmpty(parsed);
  } catch {
    return true;
  }
}

const isCount = (value: unknown, most: number) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most;

function textsOf(step: Json): string[] {
  const { pattern } = step;
  const all = isObject(pattern) ? [...Object.values(step), ...Object.values(pattern)] : Object.values(step);
  return all.filter((value) => typeof value === 'string');
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
