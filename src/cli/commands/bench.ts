/** @file `bench matmul | attention [--sweep] [--json]`: speed on this machine's GPU. */
import { benchAttention, formatAttention } from '../../../bench/attention';
import { benchMatmul, formatMatmul } from '../../../bench/matmul';
import { openGpu } from '../gpu';
import { parseOptions, UsageError } from '../options';

export async function bench([kind = '', ...args]: string[]): Promise<void> {
  const options = parseOptions(args, {
    sweep: { type: 'flag' },
    json: { type: 'flag' },
    rows: { type: 'number', default: 8192 },
  });
  const gpu = await openGpu();
  const print = <T>(rows: T, format: (rows: T) => string) =>
    console.log(options.json ? JSON.stringify(rows) : format(rows));
  if (kind === 'matmul') print(await benchMatmul(gpu, { sweep: options.sweep, rows: options.rows }), formatMatmul);
  else if (kind === 'attention') print(await benchAttention(gpu, { sweep: options.sweep }), formatAttention);
  else throw new UsageError('bench what? matmul or attention');
}
