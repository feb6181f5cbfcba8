import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import { defaultRunConfig } from '../../../../src/runs/config';
import type { StartedEvent } from '../../../../src/runs/events';
import { runName } from '../../../../src/runs/names';
import { RunStorage } from '../../../../src/storage/run-storage';
import { canResume, runTitle, statusText } from '../../../../src/ui/pages/runs/run-text';
import { SavedRuns } from '../../../../src/ui/pages/runs/saved-runs.svelte';

const started = (run_id: string): StartedEvent => ({
  type: 'started',
  schema: 1,
  run_id,
  time: '2026-01-01T00:00:00Z',
  config: { ...defaultRunConfig, max_steps: 10 },
  model: { name: 'tinythink-1m', parameters: 868_480, architecture: 'LlamaForCausalLM', reads_language: false },
  device: { kind: 'webgpu', description: 'test' },
  seed: 0,
});

let storage: RunStorage;
let runs: SavedRuns;
let count = 0;
beforeEach(() => {
  storage = new RunStorage(`library-test-${count++}`);
  runs = new SavedRuns(storage, undefined);
});

describe('SavedRuns', () => {
  test('lists runs with their checkpoints and how far they came', async () => {
    await storage.create(started('a'));
    await storage.append('a', [started('a')], { last_step: 4 });
    await runs.load();
    expect(runs.status).toBe('ready');
    expect(statusText(runs.entries[0]!)).toBe('4 of 10 steps');
    expect(canResume(runs.entries[0]!)).toBe(false);

    await storage.saveCheckpoint('a', 4, new Uint8Array([1]));
    await runs.load();
    expect(runs.entries[0]!.checkpoints).toEqual([4]);
    expect(statusText(runs.entries[0]!)).toBe('4 of 10 steps, can be resumed');
    expect(canResume(runs.entries[0]!)).toBe(true);

    await storage.append('a', [], { last_step: 10, status: 'finished' });
    await runs.load();
    expect(statusText(runs.entries[0]!)).toBe('10 steps');
    expect(canResume(runs.entries[0]!)).toBe(false);
  });

  test('hides a deleted run at once, and shows it again when that is undone', async () => {
    await storage.create(started('a'));
    await storage.create(started('b'));
    await runs.load();
    const run = runs.entries.find((entry) => entry.run.id === 'a')!.run;
    await runs.remove(run);
    expect(runs.shown.map((entry) => entry.run.id)).toEqual(['b']);
    runs.removal.undo();
    expect(runs.shown).toHaveLength(2);

    await runs.remove(run);
    await runs.removal.flush();
    expect((await storage.list()).map((each) => each.id)).toEqual(['b']);
    expect(runs.entries.map((entry) => entry.run.id)).toEqual(['b']);
  });

  test('shows a failure in a sentence, and keeps the list', async () => {
    await storage.create(started('a'));
    await runs.load();
    expect(await runs.rename('a', '   ')).toBe(false);
    expect(runs.problem).toBe('A run needs a name.');
    expect(runs.entries).toHaveLength(1);
    expect(await runs.rename('a', 'Better')).toBe(true);
    expect(runs.problem).toBe('');
    expect(runs.entries[0]!.run.name).toBe('Better');
  });

  test('says so when storage is blocked', async () => {
    const refused = () => Promise.reject(new Error('storage is blocked'));
    const broken = new SavedRuns(
      {
        list: refused,
        checkpointSteps: refused,
        rename: refused,
        delete: refused,
        modelNames: refused,
        deleteModel: refused,
        unreadableRuns: storage.unreadableRuns,
        unreadableModels: storage.unreadableModels,
      },
      undefined,
    );
    await broken.load();
    expect(broken).toMatchObject({ status: 'failed', problem: 'storage is blocked' });
  });
});

describe('the title of a run', () => {
  const created = new Date(2026, 5, 15, 8, 17).getTime();
  const now = new Date(2026, 5, 15, 18, 0).getTime();
  const title = (name: string, change: Partial<typeof defaultRunConfig> = {}) =>
    runTitle({ name, config: { ...defaultRunConfig, ...change }, created }, now, 'en-GB');

  test('is its preset and time unless it was renamed', () => {
    expect(title(runName(defaultRunConfig))).toBe('Sums: reasoning grows, 08:17');
    expect(title(`${runName(defaultRunConfig)} (2)`)).toBe('Sums: reasoning grows, 08:17');
    expect(title('Mine')).toBe('Mine');
    expect(title(`${runName(defaultRunConfig)} again`)).toBe(`${runName(defaultRunConfig)} again`);
  });

  test('is its task where the settings match no preset', () => {
    const change = { learning_rate: 2e-5 };
    expect(title(runName({ ...defaultRunConfig, ...change }), change)).toBe('Chain sums, 08:17');
  });
});
