/** @file What the page makes of the events of a run on the sidecar: the same as of a local one's. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseEvents } from '../../../../src/runs/event-schema';
import { emptyRun, reduceAll } from '../../../../src/ui/pages/train/run/run-view';

const jsonl = readFileSync(new URL('../../../goldens/sidecar_run.jsonl', import.meta.url), 'utf8');

test('steps, evaluations, notes and the end of a run that was killed on the way', () => {
  const view = reduceAll(emptyRun, parseEvents(jsonl));
  expect(view.phase).toBe('finished');
  expect(view.started?.device.kind).toBe('trl');
  expect(view.steps.map(({ step }) => step)).toEqual([1, 2, 3]);
  expect(view.evals.map(({ step }) => step)).toEqual([0, 2, 3]);
  expect(view.notes.map(({ kind }) => kind)).toContain('interrupted');
  // The settings that were changed hold from then on, through the interruption.
  expect(view.config?.learning_rate).toBe(5e-4);
  expect(view.steps.map(({ weights }) => weights.format)).toEqual([0.2, 0.5, 0.5]);
  for (const { groups, metrics } of view.steps) {
    expect(groups.map(({ completions }) => completions.length)).toEqual([4, 4]);
    expect(metrics['completions/mean_length']).toBeGreaterThan(0);
  }
});
