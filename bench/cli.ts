/** @file The headless runner with its benchmarks: what `npm run build:cli` bundles into dist/cli.mjs. */
import { run } from '../src/cli/main';
import { bench } from './command';

await run({ bench });
