/**
 * @file Distillation from end to end: a teacher on a server is asked by `tinythink distil`, what it got right becomes a data
 * set, and the embedded model, which hardly ever reasons, solves more after learning from it.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { distil } from '../../../src/cli/commands/distil';
import { modelFiles } from '../../../src/cli/model-files';
import { openTraining } from '../../../src/engine/open';
import { openModel } from '../../../src/formats/open-model';
import type { Gpu } from '../../../src/gpu/gpu';
import { defaultRunConfig } from '../../../src/runs/config';
import { sftExamples, parseDataset } from '../../../src/eval/distillation';
import { openTestGpu } from '../../support/gpu';
import { lastLine, serveChatModel } from '../../support/policy-server';

const model = new URL('../../../public/models/tinythink-1m', import.meta.url).pathname;
const config = {
  ...defaultRunConfig,
  task: 'sum',
  difficulty: 3,
  num_prompts: 4,
  num_generations: 4,
  max_completion_length: 40,
  eval_problems: 64,
  cold_start_steps: 12,
  cold_start_dataset: 'examples',
};

let gpu: Gpu;
let folder: string;
beforeAll(async () => {
  gpu = await openTestGpu();
  folder = await mkdtemp(join(tmpdir(), 'distillation-'));
});
afterAll(async () => {
  gpu.destroy();
  await rm(folder, { recursive: true });
});

/** Adds up term by term, in writing; wrong about each fifth. */
async function* solve(prompt: string, asked: number): AsyncGenerator<{ text: string }> {
  await Promise.resolve();
  const [first, ...terms] = prompt.match(/[-+]?\d+/g)!;
  let total = Number(first);
  const steps = terms.map((term) => `${total}${term}=${(total += Number(term))}`);
  yield { text: `<think>${steps.join(';')}</think>` };
  yield { text: `<answer>${asked % 5 === 0 ? total + 1 : total}</answer>` };
}

it('teaches the embedded model to think, and so to be right', async () => {
  const server = await serveChatModel(
    { name: 'teacher', generate: ({ messages }) => solve(messages[0]!.content, server.asked.length) },
    { question: lastLine },
  );
  const file = join(folder, 'data.jsonl');
  vi.spyOn(console, 'log').mockImplementation(() => {});
  const options = { teacher: server.url, task: 'sum', difficulty: '3', n: '60', k: '1', out: file };
  await distil(Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]));
  server.close();
  vi.restoreAllMocks();
  const { samples } = parseDataset(await readFile(file, 'utf8'));
  expect(samples.length).toBeGreaterThan(25);
  expect(samples.length).toBeLessThan(60);

  const notices: string[] = [];
  const unreadable = { task: 'sum', problem: '1+1=', completion: '<think>Ω</think><answer>0</answer>' };
  const examples = [...sftExamples(samples), unreadable];
  const student = await openModel(await modelFiles(model));
  const onNotice = (message: string) => void notices.push(message);
  const session = await openTraining(gpu, student, config, { examples, onNotice });
  const before = (await session.evaluateBeforeSft()).metrics;
  const after = (await session.evaluate(0)).metrics;
  console.info(`accuracy ${before.eval_accuracy} → ${after.eval_accuracy}`);
  expect(after['eval_style/full']).toBeGreaterThan(before['eval_style/full']! + 0.5);
  expect(after.eval_accuracy).toBeGreaterThan(before.eval_accuracy! + 0.15);
  expect(notices).toEqual([expect.stringContaining('1 not in its characters')]);
});

it('says so when there is nothing to learn from', async () => {
  const student = await openModel(await modelFiles(model));
  const examples = [{ task: 'mul', problem: '1*2=', completion: '<think>1*2=2</think><answer>2</answer>' }];
  const session = await openTraining(gpu, student, config, { examples });
  await expect(session.checkpoint()).rejects.toThrow('can learn from none of them: 1 of another task');
});
