import { expect, test } from 'vitest';
import {
  adapterBase,
  adapterIn,
  loadSavedOptions,
  saveOptions,
} from '../../../../../src/ui/pages/chat/models/load-options';

test('load options are saved by model, without those that are invalid', () => {
  let text = '';
  const storage = { getItem: () => text, setItem: (_: string, value: string) => void (text = value) };
  saveOptions(storage, { a: { quant: 'q8_0', cache: 'f16', context: 4096 } });
  expect(loadSavedOptions(storage)).toEqual({ a: { quant: 'q8_0', cache: 'f16', context: 4096 } });
  text = '{"a":{"quant":"q1","cache":7,"context":1e99}}';
  expect(loadSavedOptions(storage)).toEqual({ a: {} });
  for (text of ['{', '{"a":null}', '[]']) expect(loadSavedOptions(storage)).toEqual({});
});

test('an adapter is a PEFT folder, and is not saved', () => {
  const file = (path: string) => {
    const made = new File(['{}'], path.split('/').at(-1)!);
    Object.defineProperty(made, 'webkitRelativePath', { value: path });
    return made;
  };
  const folder = ['poet/README.md', 'poet/adapter_config.json', 'poet/adapter_model.safetensors'].map(file);
  const adapter = adapterIn(folder)!;
  expect(adapter.name).toBe('poet (2 B)');
  expect(adapter.files).toEqual(folder.slice(1));
  expect(adapterIn(folder.slice(0, 2))).toBeNull();
  let text = '';
  const storage = { getItem: () => text, setItem: (_: string, value: string) => (text = value) };
  saveOptions(storage, { a: { quant: 'f16', adapter } });
  expect(loadSavedOptions(storage)).toEqual({ a: { quant: 'f16' } });
});

test.each([
  ['{"base_model_name_or_path": "Qwen/Qwen2.5-0.5B"}', 'Qwen/Qwen2.5-0.5B'],
  ['{"base_model_name_or_path": ""}', null],
  ['{}', null],
  ['{', null],
])('the adapter config %s names the base model %s', async (config, base) => {
  expect(await adapterBase({ name: 'a', files: [new File([config], 'adapter_config.json')] })).toBe(base);
});
