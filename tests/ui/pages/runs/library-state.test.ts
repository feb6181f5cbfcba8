import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, test } from 'vitest';
import { defaultRunConfig } from '../../../../src/runs/config';
import type { StartedEvent } from '../../../../src/runs/events';
import { RunStorage } from '../../../../src/storage/run-storage';
import { canResume, LibraryState, standing } from '../../../../src/ui/pages/runs/library-state.svelte';

const started = (run_id: string): StartedEvent => ({
  type: 'started',
  schema: 1,
  run_id,
  time: '2026-01-01T00:00:00Z',
  config: { ...defaultRunConfig, max_steps: 10 },
  model: { name: 'tinythink-1m', parameters: 868_480, architecture: 'LlamaForCausalLM' },
  device: { kind: 'webgpu', description: 'test' },
  seed: 0,
});

let storage: RunStorage;
let library: LibraryState;
let count = 0;
beforeEach(() => {
  storage = new RunStorage(`library-test-${count++}`);
  library = new LibraryState(storage, undefined);
});

describe('LibraryState', () => {
  test('lists runs with their checkpoints and says how they stand', async () => {
    await storage.create(started('a'));
    await storage.append('a', [started('a')], { last_step: 4 });
    await library.load();
    expect(library.status).toBe('ready');
    expect(standing(library.entries[0]!)).toBe('4 of 10 steps');
    expect(canResume(library.entries[0]!)).toBe(false);

    await storage.saveCheckpoint('a', 4, new Uint8Array([1]));
    await library.load();
    expect(library.entries[0]!.checkpoints).toEqual([4]);
    expect(standing(library.entries[0]!)).toBe('4 of 10 steps, can go on');
    expect(canResume(library.entries[0]!)).toBe(true);

    await storage.append('a', [], { last_step: 10, status: 'finished' });
    await library.load();
    expect(standing(library.entries[0]!)).toBe('10 steps');
    expect(canResume(library.entries[0]!)).toBe(false);
  });

  test('a deleted run is off the list at once and comes back when undone', async () => {
    await storage.create(started('a'));
    await storage.create(started('b'));
    await library.load();
    const run = library.entries.find((entry) => entry.run.id === 'a')!.run;
    await library.remove(run);
    expect(library.shown.map((entry) => entry.run.id)).toEqual(['b']);
    library.removal.undo();
    expect(library.shown).toHaveLength(2);

    await library.remove(run);
    await library.removal.flush();
    expect((await storage.list()).map((each) => each.id)).toEqual(['b']);
    expect(library.entries.map((entry) => entry.run.id)).toEqual(['b']);
  });

  test('a failure is a sentence, and the list stays', async () => {
    await storage.create(started('a'));
    await library.load();
    expect(await library.rename('a', '   ')).toBe(false);
    expect(library.problem).toBe('A run needs a name.');
    expect(library.entries).toHaveLength(1);
    expect(await library.rename('a', 'Better')).toBe(true);
    expect(library.problem).toBe('');
    expect(library.entries[0]!.run.name).toBe('Better');
  });

  test('storage that refuses everything leaves a page that says so', async () => {
    const refused = () => Promise.reject(new Error('storage is blocked'));
    const broken = new LibraryState(
      {
        list: refused,
        checkpointSteps: refused,
        rename: refused,
        delete: refused,
        modelNames: refused,
        deleteModel: refused,
      },
      undefined,
    );
    await broken.load();
    expect(broken).toMatchObject({ status: 'failed', problem: 'storage is blocked' });
  });
});
