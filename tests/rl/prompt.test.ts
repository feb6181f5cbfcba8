/** @file A model that reads language is asked a task in words, through its chat template; one of the task's own characters is asked it bare. */
import { expect, it } from 'vitest';
import { rng } from '../../src/base/rng';
import { modelFiles } from '../../src/cli/model-files';
import { readFolderText } from '../../src/formats/hf/folder';
import { tokenizerOf } from '../../src/formats/model';
import {
  MAX_CHAT_PROMPT_LENGTH,
  MAX_PROMPT_LENGTH,
  maxPromptLength,
  readsLanguage,
  taskFor,
  taskPrompt,
} from '../../src/rl/prompt';

const tokenizerAt = async (path: string) => {
  const files = await modelFiles(path);
  return tokenizerOf({ name: files.name, ...(await readFolderText(files)) });
};

it('asks a model that reads in words, through its chat template', async () => {
  const tokenizer = await tokenizerAt('tests/goldens/checkpoints/smollm2');
  expect(readsLanguage(tokenizer)).toBe(true);
  const task = taskFor('sum', tokenizer);
  expect(task.instruction).toMatch(/^Add and subtract .* between <answer> and <\/answer>\.$/);
  expect(maxPromptLength(task)).toBe(MAX_CHAT_PROMPT_LENGTH);
  const problem = task.generate(rng(1), 3);
  const text = tokenizer.decode(taskPrompt(tokenizer, task, problem));
  expect(text).toContain(`${problem.prompt}\n${task.instruction}`);
  expect(text).toContain('<|im_start|>');
});

it('asks a model of the tasks’ own characters the bare task', async () => {
  const tokenizer = await tokenizerAt('public/models/tinythink-1m');
  expect(readsLanguage(tokenizer)).toBe(false);
  const task = taskFor('sum', tokenizer);
  expect(task.instruction).toBeUndefined();
  expect(maxPromptLength(task)).toBe(MAX_PROMPT_LENGTH);
  expect(() => taskFor('word-problems', tokenizer)).toThrow('Choose another task');
  expect(tokenizer.decode(taskPrompt(tokenizer, task, { prompt: '1+2=', answer: '3', steps: [] }))).toBe('<bos>1+2=');
});
