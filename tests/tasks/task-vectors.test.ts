/** @file The committed vectors, to which the Python sidecar is held, are what this side gives. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { taskVectors } from '../support/task-vectors';

test('task_vectors.json is what the tasks, rewards and settings give', () => {
  const committed = readFileSync(new URL('../goldens/task_vectors.json', import.meta.url), 'utf8');
  const parts = JSON.parse(committed) as Record<string, unknown>;
  const ours = taskVectors() as Record<string, unknown>;
  // A part at a time, as text: a difference then names its part and shows only that.
  for (const [name, part] of Object.entries(ours)) {
    expect(JSON.stringify(part), `${name}: run node scripts/run-ts.mjs tests/goldens/make_task_vectors.ts`).toBe(
      JSON.stringify(parts[name]),
    );
  }
  expect(Object.keys(parts)).toEqual(Object.keys(ours));
});
