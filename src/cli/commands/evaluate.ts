/**
 * @file `eval --model DIR|FILE.gguf --task NAME --n N --k K --seed S [--json]`: accuracy, pass@k and lengths on a task's
 * held-out problems.
 */
import { evaluateModel } from '../../engine/evaluate';
import { getTask } from '../../tasks';
import { openModelAt } from '../engine';
import { openGpu } from '../gpu';
import { parseOptions } from '../options';
import { inferenceFlags, inferenceOptions } from './generate';

export async function evaluate(args: string[]): Promise<void> {
  const options = parseOptions(args, {
    model: { type: 'string', required: true },
    adapter: { type: 'string' },
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
  const { task, n, k, seed, temperature } = options;
  const difficulty = options.difficulty ?? getTask(task).difficulty.default;
  const maxTokens = options['max-new'];
  const settings = {
    ...{ task, difficulty, n, k, seed },
    ...(temperature !== undefined && { temperature }),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
  };
  const model = await openModelAt(options.model, options.adapter);
  const { metrics, samples } = await evaluateModel(await openGpu(), model, settings, {
    ...inferenceOptions(options),
    onProblem: ({ problem, answers }, done) => {
      const right = answers.filter(({ correct }) => correct).length;
      console.error(`${done}/${n} ${problem.prompt} ${problem.answer}: ${right} of ${k} correct`);
    },
  });
  if (options.json) {
    console.log(JSON.stringify({ config: options, metrics, samples }));
    return;
  }
  for (const [name, value] of Object.entries(metrics)) console.log(`${name.padEnd(34)} ${value.toFixed(4)}`);
  for (const { prompt, text, correct } of samples) console.log(`${correct ? '✓' : '✗'} ${prompt}${text}`);
}
