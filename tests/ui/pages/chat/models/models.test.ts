import { describe, expect, test } from 'vitest';
import {
  DEFAULT_MODEL,
  listModels,
  modelOfFiles,
  namedModel,
  unknownCharacters,
} from '../../../../../src/ui/pages/chat/models/models';

describe('models', () => {
  const storage = {
    list: () =>
      Promise.resolve([
        { id: 'r', name: 'Sums', config: {}, model: { reads_language: false } },
        { id: 'l', name: 'Stories', config: {}, model: { reads_language: true } },
      ] as never),
    checkpointSteps: () => Promise.resolve([10, 20]),
    modelNames: () => Promise.resolve(['mine']),
  };
  test('lists all models that are complete', async () => {
    const stored = [
      { id: 'a', name: 'Qwen', complete: true },
      { id: 'b', name: 'Half', complete: false },
    ];
    const found = await listModels({ storage, stored: () => Promise.resolve(stored) });
    expect(found.map(({ id, toy }) => [id, toy])).toEqual([
      [DEFAULT_MODEL, true],
      ['run:r@20', true],
      // The checkpoint of a downloaded model.
      ['run:l@20', false],
      ['file:mine', true],
      ['store:a', false],
    ]);
  });
  test('lists the embedded model even without storage and engine', async () => {
    const no = () => Promise.reject(new Error('no'));
    expect((await listModels({ storage: { ...storage, list: no }, stored: no })).map(({ id }) => id)).toEqual([
      DEFAULT_MODEL,
    ]);
  });
  test('a model of the user’s files, or what is missing in them', () => {
    const file = (name: string) => new File([''], name);
    expect(modelOfFiles([file('tiny.Q4_K.gguf')])).toMatchObject({ label: 'tiny.Q4_K.gguf', toy: false });
    expect(modelOfFiles([file('config.json'), file('model.safetensors')]).files).toHaveLength(2);
    expect(() => modelOfFiles([file('a.gguf'), file('b.gguf')])).toThrow('several');
    expect(() => modelOfFiles([file('config.json')])).toThrow('.safetensors');
    expect(() => modelOfFiles([file('photo.png')])).toThrow('not a model');
  });

  test('the embedded model and its checkpoints say which characters they can’t read', async () => {
    const [pretrained, ...others] = await listModels({ storage });
    expect(unknownCharacters(pretrained!, '12+7-30=')).toEqual([]);
    expect(unknownCharacters(pretrained!, 'Hello, how are you? Hé')).toEqual(['H', 'é']);
    expect(
      unknownCharacters(
        others.find(({ id }) => id === 'file:mine')!,
        'Hello',
      ),
    ).toEqual([]);
    expect(unknownCharacters(namedModel('store:a'), 'Hello')).toEqual([]);
  });
});
