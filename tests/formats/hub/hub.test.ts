/** The Hub's protocol: names, listings, which files make a model, and what is said when there is none. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseFiles } from '../../../src/formats/hub/source/choose-files';
import { openHubModel } from '../../../src/formats/hub/source/hub';
import { parseModelAddress } from '../../../src/formats/hub/model-address';
import { readAll } from '../../../src/formats/hub/store/store-directory';
import { startHubServer, textFile } from '../../support/hub-server';
import type { HubServer, HubServerOptions } from '../../support/hub-server';

let hub: HubServer | null = null;
afterEach(async () => {
  await hub?.close();
  hub = null;
});

const files = { 'config.json': textFile('{}'), 'model.safetensors': textFile('weights') };

async function open(options: Partial<HubServerOptions> = {}, address: { repo?: string; revision?: string } = {}) {
  hub = await startHubServer({ repos: { 'acme/m': files }, ...options });
  return openHubModel(
    { kind: 'hub', repo: 'acme/m', endpoint: `${hub.endpoint}/`, ...address },
    { backoff: 1, timeout: 200 },
  );
}

describe('a listing', () => {
  it('pins the commit, and gives sizes, hashes, the licence, and files through the redirect', async () => {
    const model = await open({ info: { cardData: { license: 'apache-2.0' } } });
    expect(model).toMatchObject({
      origin: { kind: 'hub', repo: 'acme/m', revision: hub!.sha, endpoint: hub!.endpoint },
      licence: 'apache-2.0',
      files: [
        { path: 'config.json', bytes: 2, hash: { kind: 'git-blob', hex: '9e26dfeeb6e641a33dae4961196235bdb965b21b' } },
        { path: 'model.safetensors', bytes: 7, hash: { kind: 'sha256' } },
      ],
    });
    expect(new TextDecoder().decode(await readAll(model.open(model.files[1]!)))).toBe('weights');
    expect(model.id).toMatch(/^acme-m-[0-9a-f]{10}$/);
  });

  it.each([
    [{ license: 'other', license_name: 'llama3.2' }, [], 'llama3.2'],
    [undefined, ['license:mit'], 'mit'],
    [undefined, [], null],
  ])('finds the licence in %j and %j', async (cardData, tags, licence) => {
    expect((await open({ info: { cardData, tags } })).licence).toBe(licence);
  });

  it('without hashes is said to be one that nothing can be verified by', async () => {
    const siblings = [
      { rfilename: 'config.json', size: 2 },
      { rfilename: 'model.safetensors', size: 7, blobId: '0'.repeat(40), lfs: { sha256: 'short', size: 7 } },
    ];
    const { files, notices } = await open({ info: { siblings } });
    expect(files.some((file) => 'hash' in file)).toBe(false);
    expect(notices.join()).toContain('can’t be verified');
  });

  it('is asked for again when the server is silent', async () => {
    expect((await open({ listing: (count) => (count < 1 ? 0 : undefined) })).files).toHaveLength(2);
  });

  it('is asked for again when the server is busy', async () => {
    expect((await open({ listing: (count) => (count < 2 ? 503 : undefined) })).files).toHaveLength(2);
  });

  it.each<[string, Partial<HubServerOptions>, { repo?: string; revision?: string }, string]>([
    ['a model that is not there', {}, { repo: 'acme/none' }, 'There is no public model acme/none'],
    ['a revision that is not there', {}, { revision: 'v9' }, 'with a revision v9'],
    ['a server that stays broken', { listing: () => 500 }, {}, 'answered 500'],
    ['a gated model', { info: { gated: 'manual' } }, {}, 'asks you to accept its terms'],
    ['a listing without a commit', { info: { sha: 'main' } }, {}, 'doesn’t say which commit'],
    ['a name that is none', {}, { repo: 'acme/../etc' }, 'is not a model name'],
    ['a name with a query', {}, { repo: 'acme/m?x=1' }, 'is not a model name'],
  ])('of %s is refused in words', async (_, options, address, says) => {
    await expect(open(options, address)).rejects.toThrow(says);
  });
});

describe('without a connection', () => {
  afterEach(() => void vi.unstubAllGlobals());
  const unreachable = () => {
    const fetch = vi.fn<typeof globalThis.fetch>(() => Promise.reject(new TypeError('Failed to fetch')));
    return { fetch, opening: openHubModel({ kind: 'hub', repo: 'acme/m' }, { fetch, backoff: 1 }) };
  };

  it('an offline device says so after a single attempt', async () => {
    vi.stubGlobal('navigator', { onLine: false });
    const { fetch, opening } = unreachable();
    await expect(opening).rejects.toThrow('You are offline.');
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('an unreachable server is given up after three attempts', async () => {
    const { fetch, opening } = unreachable();
    await expect(opening).rejects.toThrow(
      'huggingface.co can’t be reached for acme/m: Failed to fetch. Gave up after 3 attempts.',
    );
    expect(fetch).toHaveBeenCalledTimes(3);
  });
});

describe('the files of a model', () => {
  const listing = (...paths: string[]) => paths.map((path) => ({ path, bytes: 1 }));
  const chosen = (paths: string[], wanted?: string) => chooseFiles(listing(...paths), 'a/b', wanted);

  it('are the safetensors with what belongs to them, whatever else lies there', () => {
    const { files, choices } = chosen([
      ...['README.md', 'config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'],
      ...['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json'],
      ...['pytorch_model.bin', 'original/consolidated.00.pth', 'consolidated.safetensors', 'onnx/model.onnx'],
      ...['chat_template.jinja', 'm-Q4_K_M.gguf'],
    ]);
    expect(files.map(({ path }) => path)).toEqual([
      ...['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'],
      ...['model.safetensors.index.json', 'model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
    ]);
    expect(choices).toEqual([{ file: 'm-Q4_K_M.gguf', bytes: 1 }]);
  });

  it('are one .gguf where there are only those: the usual one, or the one that was named', () => {
    const ggufs = ['m-IQ2_XS.gguf', 'm-Q8_0.gguf', 'm-Q4_K_M.gguf', 'mmproj-m-F16.gguf', 'big-00001-of-00002.gguf'];
    expect(chosen(ggufs)).toMatchObject({ file: 'm-Q4_K_M.gguf', files: [{ path: 'm-Q4_K_M.gguf' }] });
    expect(chosen(ggufs, 'm-Q8_0.gguf').choices.map(({ file }) => file)).toEqual(['m-IQ2_XS.gguf', 'm-Q4_K_M.gguf']);
    expect(() => chosen(ggufs, 'm-Q9.gguf')).toThrow('It has m-IQ2_XS.gguf, m-Q8_0.gguf, m-Q4_K_M.gguf');
    expect(() => chosen(ggufs, 'big-00001-of-00002.gguf')).toThrow('complete by itself');
  });

  it('that run code or are none are refused', () => {
    expect(() => chosen(['config.json', 'pytorch_model.bin'])).toThrow('can run code');
    expect(() => chosen(['README.md'])).toThrow('Is it a model?');
  });
});

describe('an address as people write it', () => {
  it.each([
    ['Qwen/Qwen2.5-0.5B', { kind: 'hub', repo: 'Qwen/Qwen2.5-0.5B' }],
    [' Qwen/Qwen2.5-0.5B@v1 ', { kind: 'hub', repo: 'Qwen/Qwen2.5-0.5B', revision: 'v1' }],
    ['a/b/c-Q4_0.gguf', { kind: 'hub', repo: 'a/b', file: 'c-Q4_0.gguf' }],
    ['https://huggingface.co/a/b', { kind: 'hub', repo: 'a/b' }],
    ['https://huggingface.co/a/b/tree/dev', { kind: 'hub', repo: 'a/b', revision: 'dev' }],
    [
      'https://huggingface.co/a/b/blob/main/x/c.gguf?download=true',
      { kind: 'hub', repo: 'a/b', revision: 'main', file: 'x/c.gguf' },
    ],
    ['https://example.org/m.gguf', { kind: 'url', url: 'https://example.org/m.gguf' }],
    ['store:abc', { kind: 'stored', id: 'abc' }],
  ])('%s', (text, address) => {
    expect(parseModelAddress(text)).toEqual(address);
  });

  it.each(['', 'qwen', 'a/b/c', 'https://huggingface.co/'])('not %j', (text) => {
    expect(() => parseModelAddress(text)).toThrow();
  });
});
