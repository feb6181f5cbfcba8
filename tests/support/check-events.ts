/**
 * @file Reads a file of run events as the page does, and prints one JSON line about it; fails where the page would.
 *
 *     node scripts/run-ts.mjs tests/support/check-events.ts events.jsonl
 */
import { readFileSync } from 'node:fs';
import { parseEvents } from '../../src/runs/event-schema';

const events = parseEvents(readFileSync(process.argv[2]!, 'utf8'));
const types = events.map(({ type }) => type);
const steps = events.flatMap((event) => (event.type === 'step' ? [Object.keys(event.metrics)] : []));
console.log(JSON.stringify({ types, metrics: steps[0] }));
