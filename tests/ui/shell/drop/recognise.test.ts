import { describe, expect, test } from 'vitest';
import { gzipSync, zipSync } from 'fflate';
import { recognise } from '../../../../src/ui/shell/drop/recognise';

const file = (name: string, ...parts: BlobPart[]) => new File(parts, name);
const inFolder = (path: string, text = '{}') =>
  Object.defineProperty(file(path.split('/').at(-1)!, text), 'webkitRelativePath', { value: path });
const bytes = (text: string) => new TextEncoder().encode(text);

const started = '{"type":"started","schema":1,"run_id":"r","config":{}}\n';
const sample = '{"task":"sum","problem":"1+1=","reasoning":"2","answer":"2","completion":"<think>2</think>"}\n';

describe('recognise', () => {
  test.each([
    ['run', 'a.jsonl', started],
    ['run', 'a.txt', `\ufeff${started}`],
    ['dataset', 'a.jsonl', sample],
    ['problems', 'a.jsonl', '{"Problem": "1+1?", "Answer": "2"}\n{"question":'],
    ['problems', 'a.jsonl', '{"question": "1+1?", "answer": "#### 2"}\r\n'],
    ['conversations', 'a.json', '{"format":"tinythink-conversations","version":1,"conversations":[]}'],
    ['conversations', 'a.json', '{\n  "format": "tinythink-conversations"\n}'],
    ['model', 'a.gguf', 'GGUF'],
    ['model', 'blob', 'GGUF\u0003'],
  ])('a %s in %s', async (kind, name, text) => {
    expect(await recognise([file(name, text)])).toMatchObject({ kind, name });
  });

  test('a gzipped run is unpacked', async () => {
    const { kind, name, files } = await recognise([file('run.jsonl.gz', gzipSync(bytes(started)))]);
    expect([kind, name, await files[0]!.text()]).toEqual(['run', 'run.jsonl', started]);
  });

  test('folders of a model and of an adapter', async () => {
    const model = ['m/config.json', 'm/model.safetensors', 'm/tokenizer.json'].map((path) => inFolder(path));
    expect(await recognise(model)).toEqual({ kind: 'model', name: 'm', files: model });
    const adapter = ['a/adapter_config.json', 'a/adapter_model.safetensors'].map((path) => inFolder(path));
    expect(await recognise(adapter)).toEqual({ kind: 'adapter', name: 'a', files: adapter });
  });

  test('a zip is a model as it is, and an adapter unpacked', async () => {
    const zip = (entries: string[]) => zipSync(Object.fromEntries(entries.map((name) => [`x/${name}`, bytes('{}')])));
    const model = file('tiny.zip', zip(['config.json', 'model.safetensors']));
    expect(await recognise([model])).toEqual({ kind: 'modelZip', name: 'tiny.zip', files: [model] });
    const adapter = await recognise([file('poet.zip', zip(['adapter_config.json', 'adapter_model.safetensors']))]);
    expect([adapter.kind, adapter.name]).toEqual(['adapter', 'poet']);
    expect(adapter.files.map(({ name, webkitRelativePath }) => [name, webkitRelativePath])).toEqual([
      ['adapter_config.json', 'poet/adapter_config.json'],
      ['adapter_model.safetensors', 'poet/adapter_model.safetensors'],
    ]);
  });

  test.each([
    ['nothing', [], /no file/],
    ['a picture', [file('cat.png', 'PNG')], /“cat\.png”.*reads models/],
    ['other JSON', [file('a.json', '{"hello": 1}')], /“a\.json”/],
    ['a list', [file('a.json', '[1]')], /“a\.json”/],
    ['several models', [file('a.gguf'), file('b.gguf')], /several \.gguf/],
    ['several files', [file('a.jsonl', started), file('b.jsonl', started)], /one folder at a time/],
    ['a model without weights', [inFolder('m/config.json')], /“m”.*no \.safetensors/],
    ['an adapter without weights', [inFolder('a/adapter_config.json')], /“a”.*no adapter_model/],
    ['a broken gzip', [file('a.jsonl.gz', new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3]))], /can’t be read/],
    ['a broken zip', [file('a.zip', 'PK\u0003\u0004 adapter_config.json')], /can’t be unpacked/],
  ])('%s is rejected with a reason', async (_, files, message) => {
    await expect(recognise(files)).rejects.toThrow(message);
  });
});
