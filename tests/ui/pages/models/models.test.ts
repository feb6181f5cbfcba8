/** @file The state of the Models page: the queue of downloads, the list, previews and their texts. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { HUB_ENDPOINT, type ModelAddress } from '../../../../src/formats/hub/model-address';
import { modelMemory } from '../../../../src/engine/model-memory';
import { nameOfFiles, withPaths } from '../../../../src/ui/pages/models/files';
import { formatParameters, formatTimeLeft } from '../../../../src/ui/pages/models/format';
import { suggestedModels } from '../../../../src/ui/pages/models/add/suggested-models';
import { ModelsState } from '../../../../src/ui/pages/models/list/models-state.svelte';
import { cardAddress, deviceMemory, memoryTable } from '../../../../src/ui/pages/models/add/preview-text';
import { ModelPreview, storageVerdict } from '../../../../src/ui/pages/models/add/preview.svelte';
import { originText, progressText } from '../../../../src/ui/pages/models/list/row-text';
import { onModelsChanged } from '../../../../src/ui/parts/models-changed';
import { Activity } from '../../../../src/ui/shell/activity.svelte';
import { FakeLibrary, stored } from './fake-library';

let library: FakeLibrary;
let models: ModelsState;
let activity: Activity;
beforeEach(() => {
  vi.useFakeTimers();
  library = new FakeLibrary();
  activity = new Activity(undefined);
  models = new ModelsState(library, activity, undefined);
});
const settled = () => vi.advanceTimersByTimeAsync(0);

function add(id: string): void {
  const address: ModelAddress = { kind: 'hub', repo: `someone/${id}` };
  models.downloads.add({ id, facts: stored(id), address, total: 988_000_000 });
}
const row = (id: string) => models.rows.find((each) => each.id === id)!;
const statuses = () => Object.fromEntries(models.downloads.list.map(({ id, status }) => [id, status]));

describe('downloads', () => {
  test('run one after another, and each model is listed as stored afterwards', async () => {
    add('a');
    add('b');
    expect(statuses()).toEqual({ a: 'downloading', b: 'waiting' });
    expect(activity.current).toHaveLength(1);
    library.started[0]!.progress(500e6);
    expect(progressText(row('a'))).toBe('500 MB of 988 MB · 23 MB/s · 22 s left');
    library.started[0]!.finish();
    await settled();
    expect(statuses()).toEqual({ b: 'downloading' });
    expect(row('a')).toMatchObject({ complete: true, download: undefined });
    expect(models.done).toBe('a is stored.');
    library.started[1]!.finish();
    await settled();
    expect([models.downloads.list, activity.current]).toEqual([[], []]);
  });

  test('a paused download lets the next one run, and resumes after it', async () => {
    add('a');
    add('b');
    library.started[0]!.progress(1e6);
    models.downloads.pause('a');
    await settled();
    expect(library.started[0]!.signal?.aborted).toBe(true);
    expect(statuses()).toEqual({ a: 'paused', b: 'downloading' });
    models.resume(row('a'));
    expect(statuses()).toEqual({ b: 'downloading', a: 'waiting' });
    library.started[1]!.finish();
    await settled();
    expect(library.started.map(({ id }) => id)).toEqual(['a', 'b', 'a']);
    expect(statuses()).toEqual({ a: 'downloading' });
  });

  test('a failed download says why, lets the next one run, and can be retried', async () => {
    add('a');
    add('b');
    library.started[0]!.fail('The server answered 500.');
    await settled();
    expect(row('a').download).toMatchObject({ status: 'failed', error: 'The server answered 500.' });
    expect(statuses()).toEqual({ a: 'failed', b: 'downloading' });
    models.resume(row('a'));
    expect(row('a').download).toMatchObject({ status: 'waiting', error: '' });
  });

  test('tell other pages when a model is stored', async () => {
    const changed = vi.fn();
    const end = onModelsChanged(changed);
    add('a');
    expect(changed).not.toHaveBeenCalled();
    library.started[0]!.finish();
    await settled();
    expect(changed).toHaveBeenCalledTimes(1);
    end();
  });

  test('a model that is added twice is downloaded once', () => {
    add('a');
    add('a');
    expect(models.downloads.list).toHaveLength(1);
  });

  test('a download that a reload interrupted is listed, and resumes from the store', async () => {
    library.models = [stored('a', { storedBytes: 300e6, complete: false })];
    await models.load();
    expect(progressText(row('a'))).toBe('300 MB of 988 MB, interrupted');
    models.resume(row('a'));
    expect(models.downloads.list).toMatchObject([
      { id: 'a', address: { kind: 'stored', id: 'a' }, status: 'downloading' },
    ]);
  });

  test('a cancelled download comes back paused when that is undone, and is deleted otherwise', async () => {
    add('a');
    library.started[0]!.progress(1e6);
    await models.remove(row('a'));
    expect(models.rows).toEqual([]);
    models.removal.undo();
    expect(statuses()).toEqual({ a: 'paused' });
    expect(library.removed).toEqual([]);
    await models.remove(row('a'));
    await models.removal.flush();
    expect([library.removed, models.rows, library.models]).toEqual([['a'], [], []]);
  });
});

describe('the list', () => {
  test('shows downloads first, then the newest models', async () => {
    library.models = [stored('old', { added: 1 }), stored('new', { added: 2 }), stored('a', { complete: false })];
    await models.load();
    add('a');
    expect(models.rows.map(({ id }) => id)).toEqual(['a', 'new', 'old']);
  });

  test('hides a deleted model at once, and deletes it a little later', async () => {
    library.models = [stored('a')];
    await models.load();
    await models.remove(row('a'));
    expect([models.rows, library.removed]).toEqual([[], []]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(library.removed).toEqual(['a']);
  });

  test('shows an error of the store', async () => {
    library.storedModels = () => Promise.reject(new Error('The store is locked.'));
    await models.load();
    expect([models.status, models.problem]).toEqual(['failed', 'The store is locked.']);
  });
});

describe('the preview of a model', () => {
  test('checks the model, and another file of its repository', async () => {
    const preview = new ModelPreview(library);
    const check = preview.check({ kind: 'hub', repo: 'Qwen/Qwen3-0.6B' }, 'Qwen3');
    expect(preview.status).toBe('checking');
    await check;
    expect(preview).toMatchObject({ status: 'found', summary: { name: 'Qwen3-0.6B' } });
    const choice = preview.choose('small.gguf');
    expect(preview).toMatchObject({ status: 'found', switching: true });
    await choice;
    expect(preview.address).toEqual({ kind: 'hub', repo: 'Qwen/Qwen3-0.6B', file: 'small.gguf' });
    expect(preview.switching).toBe(false);
  });

  test('says why a model can’t be used', async () => {
    library.answer = new Error('model_type "gpt2" is not supported');
    const preview = new ModelPreview(library);
    await preview.check({ kind: 'hub', repo: 'a/b' }, 'b');
    expect(preview).toMatchObject({ status: 'failed', error: 'model_type "gpt2" is not supported' });
  });

  test('stays closed when the answer comes after it was closed', async () => {
    const preview = new ModelPreview(library);
    const check = preview.check({ kind: 'hub', repo: 'a/b' }, 'b');
    preview.close();
    await check;
    expect([preview.status, preview.summary]).toEqual(['closed', null]);
  });

  test('counts pending downloads as used space', async () => {
    library.use = { usage: 1e9, quota: 3e9, persisted: true };
    await models.load();
    expect(models.free).toBe(2e9);
    add('a');
    expect(models.free).toBe(2e9 - 988_000_000);
    expect(storageVerdict({ bytes: 1.5e9, storedBytes: 0 }, models.free)).toEqual({
      fits: false,
      missing: 488_000_000,
    });
    expect(storageVerdict({ bytes: 1.5e9, storedBytes: 0.5e9 }, models.free)).toEqual({ fits: true, missing: 0 });
    expect(storageVerdict({ bytes: 1e15, storedBytes: 0 }, null).fits).toBe(true);
  });

  test('marks precisions that need more memory than the whole device has', () => {
    const { config } = suggestedModels.find(({ title }) => title === 'SmolLM2-1.7B-Instruct')!;
    const fits = (memory: number | null, quantisation = 'BF16') =>
      memoryTable({ config, quantisation }, memory).map((way) => way.fits);
    expect(fits(deviceMemory({ deviceMemory: 2 }))).toEqual([false, false, true]);
    expect(fits(deviceMemory({ deviceMemory: 1 }))).toEqual([false, false, false]);
    expect(fits(deviceMemory({ deviceMemory: 8 }))).toEqual([true, true, true]);
    expect(fits(deviceMemory({}), 'Q4_K')).toEqual([true]);
  });
});

describe('suggested models', () => {
  // As the model cards and the Hub's safetensors records give them.
  test.each([
    ['DeepSeek-R1-Distill-Qwen-1.5B', 1_777_088_000],
    ['Qwen2.5-Math-1.5B-Instruct', 1_543_714_304],
    ['Qwen3-0.6B', 596_049_920],
    ['Qwen2.5-0.5B-Instruct', 494_032_768],
    ['Llama-3.2-1B-Instruct', 1_235_814_400],
    ['SmolLM2-135M-Instruct', 134_515_008],
    ['SmolLM2-360M-Instruct', 361_821_120],
    ['SmolLM2-1.7B-Instruct', 1_711_376_384],
  ])('%s has %i parameters', (title, parameters) => {
    expect(suggestedModels.find((model) => model.title === title)?.parameters).toBe(parameters);
  });

  test('need memory for the bits of all weights and a cache of 4,096 tokens', () => {
    const { config, parameters } = suggestedModels.find(({ title }) => title === 'Qwen2.5-0.5B-Instruct')!;
    const cache = 2 * 24 * 2 * 64 * 4096 * 2;
    const stored16 = modelMemory(config, 'BF16', 'stored');
    // Vectors are kept in f32.
    expect(stored16 - cache - 2 * parameters).toBeGreaterThan(0);
    expect(stored16 - cache - 2 * parameters).toBeLessThan(0.001 * parameters);
    expect((modelMemory(config, 'BF16', 'q8_0') - cache) / parameters).toBeCloseTo(34 / 32, 1);
    expect(modelMemory(config, 'BF16', 'q4_0')).toBeLessThan(modelMemory(config, 'BF16', 'q8_0'));
  });
});

describe('texts', () => {
  test('numbers of parameters and remaining times', () => {
    expect([0, 950, 134_515_008, 999_600_000, 1.777e9, 70e9].map(formatParameters)).toEqual([
      '0',
      '950',
      '135 M',
      '1.0 B',
      '1.8 B',
      '70 B',
    ]);
    expect([0.2, 90, 91, 3600, 11_100].map(formatTimeLeft)).toEqual(['1 s', '90 s', '2 min', '1 h 0 min', '3 h 5 min']);
  });

  test('origins name the commit', () => {
    const revision = '0123456789abcdef0123456789abcdef01234567';
    const hub = { kind: 'hub' as const, endpoint: HUB_ENDPOINT, repo: 'a/b', revision };
    const mirrored = { ...hub, endpoint: 'https://mirror.example' };
    expect(originText({ name: 'a/b', origin: hub })).toBe('from the Hugging Face Hub, commit 0123456');
    expect(originText({ name: 'mine', origin: mirrored })).toBe('a/b from mirror.example, commit 0123456');
    expect(originText({ name: 'm', origin: { kind: 'url', url: 'https://x.example/m.gguf' } })).toBe('from x.example');
    expect(cardAddress(hub)).toBe('https://huggingface.co/a/b');
    expect(cardAddress({ ...hub, endpoint: 'javascript:alert(1)//' })).toBeNull();
  });

  test('files are named after their folder or .gguf, and keep their paths on the way to a worker', () => {
    // Node's files have no path.
    const file = (name: string, webkitRelativePath = '') =>
      Object.defineProperty(new File(['{}'], name), 'webkitRelativePath', { value: webkitRelativePath });
    const config = file('config.json', 'my-model/config.json');
    expect(nameOfFiles([config, file('x')])).toBe('my-model');
    expect(nameOfFiles([file('tiny.gguf')])).toBe('tiny.gguf');
    expect(withPaths([config])[0]!.name).toBe('my-model/config.json');
  });
});
