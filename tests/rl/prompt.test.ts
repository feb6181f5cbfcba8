/** @file How a task is put to a model: in words and through its template where it reads, bare where it knows only the task. */
import { expect, it } from 'vitest';
import { folderSource } from '../../src/cli/files';
import { loadModelText } from '../../src/formats/hf/model-folder';
import { askedTask, taskOf, taskPrompt } from '../../src/rl/prompt';
import { rng } from '../../src/base/rng';

const tokenizerOf = async (path: string) => (await loadModelText(folderSource(path))).tokenizer;
const adapters = { task: 'sum', lora_r: 4 };

it('adapters learn toy tasks in words, on a model that reads', async () => {
  const tokenizer = await tokenizerOf('tests/goldens/checkpoints/smollm2');
  const task = taskOf(adapters, tokenizer);
  expect(task.instruction).toMatch(/^Add and subtract .* between <answer> and <\/answer>\.$/);
  expect(task).toEqual(askedTask(adapters));
  const problem = task.generate(rng(1), 3);
  const text = tokenizer.decode(taskPrompt(tokenizer, task, problem));
  expect(text).toContain(`${problem.prompt}\n${task.instruction}`);
  expect(text).toContain('<|im_start|>');
  expect(taskOf({ task: 'sum', lora_r: null }, tokenizer).instruction).toBeUndefined();
});

it('a model of the task alone is asked the bare task', async () => {
  const tokenizer = await tokenizerOf('public/models/tinythink-1m');
  const task = taskOf(adapters, tokenizer);
  expect(task.instruction).toBeUndefined();
  expect(tokenizer.decode(taskPrompt(tokenizer, task, { prompt: '1+2=', answer: '3', steps: [] }))).toBe('<bos>1+2=');
});
