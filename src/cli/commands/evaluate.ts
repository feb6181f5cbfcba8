/** @file `eval --model DIR --task NAME --n N --k K --seed S [--json]`: accuracy, pass@k, lengths and styles on held-out problems. */
import { loadModelFolder } from '../../formats/model-folder';
import { GrpoSession } from '../../rl/grpo-session';
import { defaultRunConfig } from '../../runs/config';
import { getTask } from '../../tasks';
import { folderSource } from '../files';
import { openGpu } from '../gpu';
import { parseOptions } from '../options';

export async function evaluateModel(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    task: { type: 'string', default: 'sum' },
    difficulty: { type: 'number' },
    n: { type: 'number', default: 512 },
    k: { type: 'number', default: 1 },
    seed: { type: 'number', default: 0 },
    temperature: { type: 'number', default: 1 },
    'max-new': { type: 'number', default: defaultRunConfig.max_completion_length },
    json: { type: 'flag' },
  });
  const { difficulty } = getTask(options.task);
  const config = {
    ...defaultRunConfig,
    task: options.task,
    difficulty: options.difficulty ?? difficulty.default,
    eval_problems: options.n,
    seed: options.seed,
    temperature: options.temperature,
    max_completion_length: options['max-new'],
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
