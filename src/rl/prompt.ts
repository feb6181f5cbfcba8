/** @file A task's prompt as a model reads it: bare, or as an instruction to a model that reads language. */
import type { TextTokenizer } from '../formats/text/tokenizer';
import { t } from '../i18n';
import { getTask } from '../tasks';
import type { Problem, Task } from '../tasks/task';

/** Tokens of `<bos>` and the longest prompt that any task writes. */
export const MAX_PROMPT_LENGTH = 32;

/** Tokens of the longest prompt that a chat template makes of a task with an instruction. */
export const MAX_CHAT_PROMPT_LENGTH = 384;

/** Tells a model that reads how to answer a task that doesn't say so itself: in the form that is rewarded. */
const ANSWER_FORM =
  'Think step by step between <think> and </think>. Then give only the final answer between <answer> and </answer>.';

/** The task as an instruction in words. */
export const inWords = (task: Task): Task =>
  task.instruction === undefined ? { ...task, instruction: `${task.description} ${ANSWER_FORM}` } : task;

/** Whether a model reads language, and not only the characters of the toy tasks. */
export const readsLanguage = (tokenizer: TextTokenizer): boolean => canWrite(tokenizer, ANSWER_FORM);

/**
 * The task as a model with this tokenizer is asked it.
 * @throws RangeError for a task that doesn't exist, or one in words for a model that can't read them
 */
export function taskFor(name: string, tokenizer: TextTokenizer): Task {
  const task = getTask(name);
  if (readsLanguage(tokenizer)) return inWords(task);
  if (task.instruction !== undefined) throw new RangeError(t('config:problems.needsLanguage', { task: task.title }));
  return task;
}

/** Tokens of the longest prompt of a task, as `taskFor` gives it. */
export const maxPromptLength = ({ instruction }: Task): number =>
  instruction === undefined ? MAX_PROMPT_LENGTH : MAX_CHAT_PROMPT_LENGTH;

/** Whether a text is in a tokenizer's characters; some tokenizers change spaces. */
function canWrite(tokenizer: TextTokenizer, text: string): boolean {
  const letters = (of: string) => of.replace(/\s+/g, '');
  try {
    return letters(tokenizer.decode(tokenizer.encode(text))) === letters(text);
  } catch {
    return false;
  }
}

/** Token ids of `<bos>`, where the tokenizer has one, and the prompt. */
export function encodePrompt(tokenizer: TextTokenizer, prompt: string): number[] {
  const ids = tokenizer.encode(prompt);
  return tokenizer.bosId === null ? ids : [tokenizer.bosId, ...ids];
}

/** Token ids of what a model is asked: through its chat template where the task has an instruction. */
export function taskPrompt(tokenizer: TextTokenizer, task: Task, { prompt }: Problem): number[] {
  if (task.instruction === undefined) return encodePrompt(tokenizer, prompt);
  const message = { role: 'user', content: `${prompt}\n${task.instruction}` };
  // A base model has no chat template.
  if (!tokenizer.hasChatTemplate) return encodePrompt(tokenizer, `${message.content}\n`);
  return tokenizer.encodeChat([message], { add_generation_prompt: true });
}
