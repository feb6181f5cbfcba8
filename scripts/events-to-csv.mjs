/**
 * @file A run's events as one CSV, a row a step, for docs/results: `node scripts/events-to-csv.mjs run.jsonl > run.csv`.
 * Columns have the metrics' names; those of an evaluation are empty where there was none. Row 0 is the start model's.
 * Groups and texts are left out. Any other JSON lines with a `step`, such as pretraining's curve, are written as they are.
 */
import { readFileSync } from 'node:fs';

const [file] = process.argv.slice(2);
if (!file) {
  console.error('Usage: node scripts/events-to-csv.mjs run.jsonl > run.csv');
  process.exit(2);
}
const lines = readFileSync(file, 'utf8').trim().split('\n');
const records = lines.map((line) => JSON.parse(line)).filter((record) => record.step !== undefined);

/** By step: its metrics, an evaluation's among them. */
const rows = new Map();
for (const { type, step, metrics, ...rest } of records) {
  if (type !== undefined && type !== 'step' && type !== 'eval') continue;
  rows.set(step, { ...rows.get(step), ...(metrics ?? rest) });
}
const names = [...new Set([...rows.values()].flatMap((row) => Object.keys(row)))];
names.sort((a, b) => Number(a.startsWith('eval_')) - Number(b.startsWith('eval_')));

/** Six significant digits are enough for a chart; what was not finite is null in JSON, and empty here. */
const cell = (value) => (value === undefined || value === null ? '' : String(Number(value.toPrecision(6))));
console.log(['step', ...names].join(','));
for (const [step, row] of [...rows].sort(([a], [b]) => a - b)) {
  console.log([step, ...names.map((name) => cell(row[name]))].join(','));
}
