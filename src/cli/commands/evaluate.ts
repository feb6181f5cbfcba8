/**
 * @file `eval --model DIR|FILE.gguf --task NAME --n N --k K --seed S [--json]` on held-out problems: accuracy, pass@k,
 * lengths and styles of a model of the tasks' own vocabulary, all at once; of any other, asked through its chat template,
 * accuracy with its interval, pass@k, majority vote and lengths.
 */
import { loadModelFolder } from '../../formats/hf/model-folder';
import type { OpenedModel } from '../../formats/files/model-files';
import { openModel } from '../../formats/open-model';
import { GrpoSession } from '../../engine/grpo-session';
import { defaultRunConfig } from '../../runs/config';
import { evaluateChatModel, summarise, type Answered } from '../../eval/evaluation';
import { PackedChatModel } from '../../engine/packed-chat-model';
import { getTask } from '../../tasks';
import { folderSource } from '../files';
import { openGpu } from '../gpu';
import { modelFiles } from '../model-files';
import { parseOptions } from '../options';
import { inferenceFlags, inferenceOptions } from './generate';

/** A model of the tasks' own characters has a few dozen tokens; one that reads language has thousands. */
const LARGEST_TASK_VOCABULARY = 256;
/** A reasoning model needs room for its thoughts. */
const LARGE_MAX_NEW = 2048;

export async function evaluateModel(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    task: { type: 'string', default: 'sum' },
    difficulty: { type: 'number' },
    n: { type: 'number', default: 512 },
    k: { type: 'number', default: 1 },
    seed: { type: 'number', default: 0 },
    temperature: { type: 'number' },
    'max-new': { type: 'number' },
    json: { type: 'flag' },
    ...inferenceFlags,
  });
  const opened = await openModel(await modelFiles(options.model));
  if (opened.tokenizer.vocabularySize > LARGEST_TASK_VOCABULARY) return evaluateLarge(opened, options);
  const { difficulty } = getTask(options.task);
  const config = {
    ...defaultRunConfig,
    task: options.task,
    difficulty: options.difficulty ?? difficulty.default,
    eval_problems: options.n,
    seed: options.seed,
    temperature: options.temperature ?? 1,
    max_completion_length: options['max-new'] ?? defaultRunConfig.max_completion_length,
    num_generations: Math.max(2, options.k),
    num_prompts: Math.max(1, Math.floor(256 / Math.max(2, options.k))),
  };
  const gpu = await openGpu();
  const session = await GrpoSession.create(gpu, config, await loadModelFolder(folderSource(options.model)));
  const { metrics, samples } = await session.evaluate(0, options.k);
  if (options.json) console.log(JSON.stringify({ config: options, metrics, samples }));
  else {
    for (const [name, value] of Object.entries(metrics)) console.log(`${name.padEnd(34)} ${value.toFixed(4)}`);
    for (const { prompt, text, correct } of samples) console.log(`${correct ? '✓' : '✗'} ${prompt}${text}`);
  }
}

interface LargeOptions {
  task: string;
  difficulty: number | undefined;
  n: number;
  k: number;
  seed: number;
  temperature: number | undefined;
  'max-new': number | undefined;
  json: boolean;
  quant: string;
  cache: string;
  context: number | undefined;
}

async function evaluateLarge(opened: OpenedModel, options: LargeOptions): Promise<void> {
  const task = getTask(options.task);
  const policy = await PackedChatModel.create(await openGpu(), opened, inferenceOptions(options));
  const { temperature = 1, top_p = 1, top_k = 0, min_p = 0, repetition_penalty = 1 } = opened.sampling;
  const request = {
    ...{ temperature: options.temperature ?? temperature, top_p, top_k, min_p, repetition_penalty },
    max_tokens: options['max-new'] ?? LARGE_MAX_NEW,
  };
  const { n, k, seed } = options;
  const settings = { task, difficulty: options.difficulty ?? task.difficulty.default, n, k, seed, request };
  const results: Answered[] = [];
  for await (const answered of evaluateChatModel(policy, settings, new AbortController().signal)) {
    results.push(answered);
    const right = answered.answers.filter(({ correct }) => correct).length;
    console.error(
      `${results.length}/${n} ${answered.problem.prompt} ${answered.problem.answer}: ${right} of ${k} right`,
    );
  }
  const summary = summarise(results);
  if (options.json) console.log(JSON.stringify({ config: options, summary, results }));
  else for (const [name, value] of Object.entries(summary)) console.log(`${name.padEnd(14)} ${format(value)}`);
}

const format = (value: number | [number, number]): string =>
  typeof value === 'number' ? value.toFixed(4) : value.map((bound) => bound.toFixed(4)).join(' to ');
