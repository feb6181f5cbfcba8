/** @file Runs a TypeScript program of this repository in Node, through Vite: `node scripts/run-ts.mjs FILE [arguments]`. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runnerImport } from 'vite';

const [file, ...rest] = process.argv.slice(2);
if (!file) {
  console.error('Usage: node scripts/run-ts.mjs FILE [arguments]');
  process.exit(2);
}
// The program sees the command line that it would have if Node ran it itself.
process.argv = [process.argv[0], resolve(file), ...rest];
await runnerImport(pathToFileURL(resolve(file)).href);
