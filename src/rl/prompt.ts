/** @file A task's prompt as the model reads it. */
import type { TextTokenizer } from '../formats/tokenizer';
import type { Problem, Task } from '../tasks/task';

/** Tokens of `<bos>` and the longest prompt that any task writes. */
export const MAX_PROMPT_LENGTH = 32;

/** Token ids of `<bos>`, where the tokenizer has one, and the prompt. */
export function encodePrompt(tokenizer: TextTokenizer, prompt: string): number[] {
  const ids = tokenizer.encode(prompt);
  return tokenizer.bosId === null ? ids : [tokenizer.bosId, ...ids];
}

/** Tokens of the longest prompt that a chat template makes of a task with an instruction. */
export const MAX_CHAT_PROMPT_LENGTH = 384;

/** Token ids of what a model is asked: through its chat template where the task has an instruction. */
export function taskPrompt(tokenizer: TextTokenizer, task: Task, { prompt }: Problem): number[] {
  if (task.instruction === undefined) return encodePrompt(tokenizer, prompt);
  const message = { role: 'user', content: `${prompt}\n${task.instruction}` };
  return tokenizer.encodeChat([message], { add_generation_prompt: true });
}
