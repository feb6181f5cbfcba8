/** @file A task's prompt as the model reads it. */
import type { TextTokenizer } from '../formats/tokenizer';

/** Tokens of `<bos>` and the longest prompt that any task writes. */
export const MAX_PROMPT_LENGTH = 32;

/** Token ids of `<bos>`, where the tokenizer has one, and the prompt. */
export function encodePrompt(tokenizer: TextTokenizer, prompt: string): number[] {
  const ids = tokenizer.encode(prompt);
  return tokenizer.bosId === null ? ids : [tokenizer.bosId, ...ids];
}
