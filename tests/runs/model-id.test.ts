/** @file Ids of models: every kind is read and written back, and whatever could lead elsewhere is refused. */
import { describe, expect, it } from 'vitest';
import { formatModelId, isServerModel, parseModelId, type ModelId } from '../../src/runs/model-id';

const ids: [string, ModelId][] = [
  ['tinythink-1m', { kind: 'embedded', name: 'tinythink-1m' }],
  ['run:0b1c-2_d@40', { kind: 'checkpoint', run: '0b1c-2_d', step: 40 }],
  ['file:my model', { kind: 'imported', name: 'my model' }],
  ['store:Qwen.Qwen2-0.5B-0123456789', { kind: 'downloaded', id: 'Qwen.Qwen2-0.5B-0123456789' }],
  ['own:abc-1', { kind: 'opened', id: 'abc-1' }],
  ['remote:s-1:a:b/c', { kind: 'server', server: 's-1', model: 'a:b/c' }],
  ['Qwen/Qwen2.5-1.5B', { kind: 'hub', repository: 'Qwen/Qwen2.5-1.5B' }],
];

describe('model ids', () => {
  it.each(ids)('%s', (text, id) => {
    expect(parseModelId(text)).toEqual(id);
    expect(formatModelId(id)).toBe(text);
  });

  it.each([
    '',
    '..',
    '../models/x',
    '/etc/passwd',
    'https://example.org/x',
    'a/b/c',
    'a/../b',
    'run:x',
    'run:x@',
    'run:x@-1',
    'run:../x@1',
    'file:',
    'file:a/b',
    'store:../x',
    'remote:s',
    'remote:s:',
    'own:',
    `x${'y'.repeat(100)}`,
    'tinythink-1m\n',
  ])('%j is refused', (text) => expect(parseModelId(text)).toBeNull());

  it('tells models on servers from all others', () => {
    expect(ids.filter(([text]) => isServerModel(text)).map(([text]) => text)).toEqual(['remote:s-1:a:b/c']);
  });
});
