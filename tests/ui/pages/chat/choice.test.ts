/** @file Whom the chat asks and how, without a page: what is chosen, settings kept by model, models opened anew. */
import { expect, test } from 'vitest';
import { Choice } from '../../../../src/ui/pages/chat/models/choice.svelte';
import { adapterOf } from '../../../../src/ui/pages/chat/models/loading';
import { DEFAULT_MODEL, namedModel } from '../../../../src/ui/pages/chat/models/models';
import { OpenModels, type OpenChatModel } from '../../../../src/ui/pages/chat/models/open-models.svelte';

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
}

const large = { ...namedModel('store:a'), label: 'A' };

test('what was chosen by an address stays when the models are found, known or not', () => {
  const choice = new Choice('store:a', storage());
  expect(choice.picked[0]).toMatchObject({ id: 'store:a', label: 'store:a', toy: false });
  choice.found([namedModel(DEFAULT_MODEL), large]);
  expect(choice.picked[0]!.label).toBe('A');
  choice.found([namedModel(DEFAULT_MODEL)]);
  expect(choice.models.map(({ id }) => id)).toEqual([DEFAULT_MODEL, 'store:a']);
});

test('a second column asks another model, and is taken away again', () => {
  const choice = new Choice(DEFAULT_MODEL, storage());
  choice.found([namedModel(DEFAULT_MODEL), large]);
  choice.compare();
  expect(choice.chosen).toEqual([DEFAULT_MODEL, 'store:a']);
  expect([choice.onlyToys, choice.allRemote]).toEqual([false, false]);
  expect(choice.forColumn(1).id).toBe('store:a');
  choice.compare();
  expect(choice.chosen).toEqual([DEFAULT_MODEL]);
  // An answer of the second column is asked again of the only one there is.
  expect(choice.forColumn(1).id).toBe(DEFAULT_MODEL);
});

test('settings belong to a model, over what its makers recommend, and outlive the visit', () => {
  const kept = storage();
  const choice = new Choice('store:a', kept);
  choice.found([large]);
  choice.recommend(large, { temperature: 0.6 });
  choice.change(large, 'top_p', 0.5);
  choice.setLoading(large, { quant: 'q4_0' });
  expect(choice.settingsOf(choice.picked[0]!)).toMatchObject({ temperature: 0.6, top_p: 0.5 });
  const next = new Choice('store:a', kept);
  expect(next.settingsOf(large).top_p).toBe(0.5);
  expect(next.picked[0]!.load).toEqual({ quant: 'q4_0' });
  next.change(large, 'temperature', -1);
  expect(next.problem).toMatch(/\(Settings\)$/);
  next.reset(large);
  expect(next.problem).toBe('');
});

test('an adapter that was written anew is loaded anew, though its folder and sizes are the same', async () => {
  let opened = 0;
  let closed = 0;
  const models = new OpenModels(() => {
    opened++;
    return Promise.resolve({ close: () => closed++ } as unknown as OpenChatModel);
  });
  const withAdapter = (lastModified: number) => {
    const files = ['adapter_config.json', 'adapter_model.safetensors'].map(
      (name) => new File(['{}'], name, { lastModified }),
    );
    return { ...large, load: { adapter: adapterOf(files)! } };
  };
  const { signal } = new AbortController();
  const first = await models.get(withAdapter(1), signal);
  expect(await models.get(withAdapter(1), signal)).toBe(first);
  expect(await models.get(withAdapter(2), signal)).not.toBe(first);
  models.keep([withAdapter(2)]);
  expect([opened, closed]).toEqual([2, 1]);
});
