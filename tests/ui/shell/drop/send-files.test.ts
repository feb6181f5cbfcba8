/** @file Files that were chosen on the wrong page go to the right one. */
import { expect, it, vi } from 'vitest';

const location = { hash: '' };
vi.stubGlobal('location', location);
vi.stubGlobal('addEventListener', () => {});
const { sendElsewhere } = await import('../../../../src/ui/shell/drop/send-files');

const file = (name: string, text = '') => new File([text], name);
const adapter = [file('adapter_config.json', '{}'), file('adapter_model.safetensors')];
const model = [file('config.json', '{}'), file('model.safetensors')];
const dataset = [file('data.jsonl', '{"problem":"1+1=","completion":"2"}\n')];

it.each<[string, File[], string, string | null]>([
  ['an adapter', adapter, 'models', '#/chat'],
  ['an adapter', adapter, 'runs', '#/chat'],
  ['a model', model, 'models', null],
  ['a model', model, 'runs', '#/models'],
  ['a data set', dataset, 'runs', '#/distil'],
  ['a zip', [file('tiny.zip', 'PK\u0003\u0004')], 'models', '#/runs'],
  ['a zip', [file('tiny.zip', 'PK\u0003\u0004')], 'runs', null],
  ['something unknown', [file('notes.txt', 'hello')], 'runs', null],
])('%s', async (_, files, here, hash) => {
  location.hash = '';
  expect(await sendElsewhere(files, here)).toBe(hash !== null);
  expect(location.hash).toBe(hash ?? '');
});
