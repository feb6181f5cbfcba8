/** @file The headless runner: the page's engine in Node. `npm run tinythink -- <command> [options]`. */
import { messageOf } from '../base/errors';
import { distil } from './commands/distil';
import { evaluate } from './commands/evaluate';
import { generate, logits } from './commands/generate';
import { pretrain } from './commands/pretrain';
import { train } from './commands/train';
import { UsageError } from './options';

type Commands = Record<string, (args: string[]) => Promise<void>>;

const own: Commands = {
  train,
  generate,
  logits,
  eval: evaluate,
  distil,
  pretrain,
};

/**
 * Runs the command that the process's arguments name, and ends the process.
 * @param more commands that are not the engine's own (bench/cli.ts)
 */
export async function run(more: Commands = {}): Promise<never> {
  const commands = { ...own, ...more };
  const [name = '', ...args] = process.argv.slice(2);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    console.error(`usage: tinythink <${Object.keys(commands).join(' | ')}> [--option value …]`);
    process.exit(2);
  }
  const fail = (error: unknown): never => {
    console.error(`${name}: ${messageOf(error)}`);
    if (process.env.TINYTHINK_TRACE) console.error(error);
    process.exit(error instanceof UsageError ? 2 : 1);
  };
  // Whatever goes wrong beside the command, such as in a stream that nobody reads any more, ends in the same way.
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  try {
    await command(args);
    process.exit(0);
  } catch (error) {
    return fail(error);
  }
}
