/** @file `tinythink bench <benchmark> [--json] [options]`: speed on this machine's GPU. Each benchmark takes its own options. */
import { openGpu } from '../src/cli/gpu';
import { parseOptions, UsageError } from '../src/cli/options';
import { benchmarks } from './benchmarks';

export async function bench([name = '', ...args]: string[]): Promise<void> {
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
  if (!benchmark) throw new UsageError(`choose a benchmark: ${Object.keys(benchmarks).join(', ')}`);
  const { json, ...options } = parseOptions(args, { json: { type: 'flag' }, ...benchmark.options });
  const gpu = await openGpu();
  const { result, text } = await benchmark.run(gpu, options);
  console.log(json ? JSON.stringify(result) : text);
}
