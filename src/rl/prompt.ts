/** @file A task's prompt as the model reads it. */
import type { TextTokenizer } from '../formats/text/tokenizer';
import { getTask } from '../tasks';
import type { Problem, Task } from '../tasks/task';
import type { RunConfig } from './config';

/** Tokens of `<bos>` and the longest prompt that any task writes. */
export const MAX_PROMPT_LENGTH = 32;

/** Token ids of `<bos>`, where the tokenizer has one, and the prompt. */
export function encodePrompt(tokenizer: TextTokenizer, prompt: string): number[] {
  const ids = tokenizer.encode(prompt);
  return tokenizer.bosId === null ? ids : [tokenizer.bosId, ...ids];
}

/** Tokens of the longest prompt that a chat template makes of a task with an instruction. */
export const MAX_CHAT_PROMPT_LENGTH = 384;

/** How a model that reads is to answer a task that doesn't say so itself: in the form that is rewarded. */
const ANSWER_FORM =
  'Think step by step between <think> and </think>. Then give only the final answer between <answer> and </answer>.';

/** The task as it is put to a model that reads. */
export const inWords = (task: Task): Task =>
  task.instruction === undefined ? { ...task, instruction: `${task.description} ${ANSWER_FORM}` } : task;

/** The task of a run for people: adapters learn on models that read. @throws RangeError */
export const askedTask = ({ task, lora_r }: Pick<RunConfig, 'task' | 'lora_r'>): Task =>
  lora_r === null ? getTask(task) : inWords(getTask(task));

/** The task as a run asks it: bare where the model has no words. @throws RangeError */
export function taskOf(config: Pick<RunConfig, 'task' | 'lora_r'>, tokenizer: TextTokenizer): Task {
  const task = getTask(config.task);
  const asked = askedTask(config);
  return task.instruction !== undefined || canWrite(tokenizer, asked.instruction ?? '') ? asked : task;
}

/** Whether a text is in a tokenizer's characters; some write spaces in ways of their own. */
function canWrite(tokenizer: TextTokenizer, text: string): boolean {
  const letters = (of: string) => of.replace(/\s+/g, '');
  try {
    return letters(tokenizer.decode(tokenizer.encode(text))) === letters(text);
  } catch {
    return false;
  }
}

/** Token ids of what a model is asked: through its chat template where the task has an instruction. */
export function taskPrompt(tokenizer: TextTokenizer, task: Task, { prompt }: Problem): number[] {
  if (task.instruction === undefined) return encodePrompt(tokenizer, prompt);
  const message = { role: 'user', content: `${prompt}\n${task.instruction}` };
  // A base model knows no conversation.
  if (!tokenizer.hasChatTemplate) return encodePrompt(tokenizer, `${message.content}\n`);
  return tokenizer.encodeChat([message], { add_generation_prompt: true });
}
