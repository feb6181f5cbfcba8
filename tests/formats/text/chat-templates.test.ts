/**
 * @file Chats and texts as Transformers renders, encodes and decodes them (tests/goldens/templates/templates.json), with
 * each family's tokenizer from its folder and, where there is one, from a GGUF.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openGguf } from '../../../src/formats/gguf/gguf';
import { GgufMetadata } from '../../../src/formats/gguf/gguf';
import { ggufTokenizer } from '../../../src/formats/gguf/gguf-tokenizer';
import { recognisePreTokenizer } from '../../../src/formats/gguf/pre-tokenizers';
import { t } from '../../../src/i18n';
import { TextTokenizer, type ChatMessage } from '../../../src/formats/text/tokenizer';
import { checkpoint } from '../checkpoints';

interface Chat {
  chat: string;
  options: { add_generation_prompt?: boolean; continue_final_message?: boolean };
  variables: Record<string, unknown>;
  messages: ChatMessage[];
  text?: string;
  ids?: number[];
  error?: string;
}
interface Text {
  text: string;
  ids: number[];
  with_special: number[];
  decoded: string;
  without_special: string;
}

const goldens = new URL('../../goldens/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, goldens), 'utf8');
const golden = JSON.parse(read('templates/templates.json')) as Record<string, { chats: Chat[]; texts: Text[] }>;

const inFolder = (path: string) =>
  new TextTokenizer(
    JSON.parse(read(`${path}/tokenizer.json`)),
    JSON.parse(read(`${path}/tokenizer_config.json`)),
    read(`${path}/chat_template.jinja`),
  );

async function inGguf(name: string): Promise<TextTokenizer> {
  const file = await checkpoint(name).open(name);
  return ggufTokenizer((await openGguf(file!)).metadata);
}

/** What llama.cpp's converter writes of a folder's byte-level tokenizer. */
function converted(path: string, pre: string | null, notices: string[] = []): TextTokenizer {
  const { model, added_tokens: added } = JSON.parse(read(`${path}/tokenizer.json`)) as {
    model: { vocab: Record<string, number>; merges: [string, string][] };
    added_tokens: { id: number; content: string; special: boolean }[];
  };
  const tokens: string[] = [];
  const kinds: number[] = [];
  for (const [token, id] of Object.entries(model.vocab)) [tokens[id], kinds[id]] = [token, 1];
  for (const { id, content, special } of added) [tokens[id], kinds[id]] = [content, special ? 3 : 4];
  const config = JSON.parse(read(`${path}/tokenizer_config.json`)) as Record<string, string>;
  const idOf = (key: string) => tokens.indexOf(config[key]!);
  return ggufTokenizer(
    new GgufMetadata({
      'tokenizer.ggml.model': 'gpt2',
      ...(pre !== null && { 'tokenizer.ggml.pre': pre }),
      'general.architecture': path.includes('qwen') ? 'qwen2' : 'llama',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': kinds,
      'tokenizer.ggml.merges': model.merges.map((pair) => pair.join(' ')),
      'tokenizer.ggml.bos_token_id': BigInt(idOf('bos_token')),
      'tokenizer.ggml.eos_token_id': idOf('eos_token'),
      'tokenizer.ggml.padding_token_id': idOf('pad_token'),
      'tokenizer.ggml.add_bos_token': pre === 'deepseek-r1-qwen',
      'tokenizer.chat_template': read(`${path}/chat_template.jinja`),
    }),
    undefined,
    notices,
  );
}

const cases: [family: string, from: string, open: () => TextTokenizer | Promise<TextTokenizer>][] = [
  ['qwen2.5', 'folder', () => inFolder('templates/qwen2.5')],
  ['qwen2.5', 'GGUF', () => inGguf('qwen2-q4_0.gguf')],
  ['qwen3', 'folder', () => inFolder('checkpoints/qwen3')],
  ['qwen3', 'GGUF', () => inGguf('qwen3-f16.gguf')],
  ['r1-distill-qwen', 'folder', () => inFolder('checkpoints/r1-qwen2')],
  ['r1-distill-qwen', 'GGUF', () => converted('checkpoints/r1-qwen2', 'deepseek-r1-qwen')],
  ['llama3', 'folder', () => inFolder('checkpoints/llama3')],
  ['llama3', 'GGUF', () => inGguf('llama3-k.gguf')],
  ['smollm2', 'folder', () => inFolder('checkpoints/smollm2')],
  ['smollm2', 'GGUF', () => converted('checkpoints/smollm2', 'smollm')],
  ['mistral', 'folder', () => inFolder('checkpoints/mistral')],
  ['mistral', 'GGUF', () => inGguf('llama-q4_0.gguf')],
];

describe.each(cases)('%s from its %s', (family, _, open) => {
  const { chats, texts } = golden[family]!;
  // The day that the goldens were made for.
  beforeEach(() => void vi.useFakeTimers({ now: new Date(2026, 2, 5, 12), toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('renders and encodes chats', async () => {
    const tokenizer = await open();
    for (const { chat, options, variables, messages, text, ids, error } of chats) {
      const about = `${chat} ${JSON.stringify({ ...options, ...variables })}`;
      const render = () => tokenizer.applyChatTemplate(messages, { ...options, variables });
      if (error !== undefined) {
        const cut = 'the chat template leaves out a part of the message';
        expect(render, about).toThrow(options.continue_final_message ? cut : error);
      } else {
        expect(render(), about).toBe(text);
        expect(tokenizer.encodeChat(messages, { ...options, variables }), about).toEqual(ids);
      }
    }
  });

  it('encodes and decodes texts', async () => {
    const tokenizer = await open();
    for (const { text, ids, with_special, decoded, without_special } of texts) {
      expect(tokenizer.encode(text), text).toEqual(ids);
      expect(tokenizer.encode(text, { add_special_tokens: true }), text).toEqual(with_special);
      expect(tokenizer.decode(ids), text).toBe(decoded);
      expect(tokenizer.decode(ids, { skip_special_tokens: true }), text).toBe(without_special);
    }
  });

  it('writes one BOS where the model has one', async () => {
    const tokenizer = await open();
    const ids = tokenizer.encodeChat([{ role: 'user', content: 'Hi' }], { add_generation_prompt: true });
    const expected = ['r1-distill-qwen', 'llama3', 'mistral'].includes(family) ? 1 : 0;
    // SmolLM2's bos_token begins each of its messages.
    if (family !== 'smollm2') expect(ids.filter((id) => id === tokenizer.bosId).length).toBe(expected);
    if (expected) expect(ids[0]).toBe(tokenizer.bosId);
  });
});

describe('a GGUF that does not name its pre-tokenizer', () => {
  it.each([
    ['qwen2.5', 'templates/qwen2.5', 'Qwen 2'],
    ['qwen3', 'checkpoints/qwen3', 'Qwen 2'],
    ['r1-distill-qwen', 'checkpoints/r1-qwen2', 'Qwen 2'],
    ['llama3', 'checkpoints/llama3', 'Llama 3'],
    ['smollm2', 'checkpoints/smollm2', 'SmolLM'],
  ])('is recognised: %s', (family, path, named) => {
    for (const pre of [null, 'default']) {
      const notices: string[] = [];
      const tokenizer = converted(path, pre, notices);
      for (const { text, ids } of golden[family]!.texts) expect(tokenizer.encode(text), text).toEqual(ids);
      expect(notices).toEqual([t('models:notices.recognisedPreTokenizer', { family: named })]);
    }
  });

  /** A vocabulary of this size whose other tokens say nothing. */
  const padded = (tokens: string[]) => [...tokens, ...Array.from({ length: 20_000 }, (_, i) => `<filler${i}>`)];
  it.each([
    [['(self', '.get', 'Ġ1', '1'], 'Qwen 2'],
    [['(self', '123', '12', '1'], 'Llama 3'],
    [['Ġself', '1', '2', "'re"], 'SmolLM'],
    [['Ġself', '2019', '12345'], 'GPT-2'],
    [['(self', '2019', '12345'], null],
  ])('is recognised by the pieces that were cut in training: %j', (tokens, family) => {
    expect(recognisePreTokenizer('llama', padded(tokens)).family).toBe(family);
  });

  it('is said to be unknown where its tokens show nothing', () => {
    const notices: string[] = [];
    const metadata = {
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.tokens': ['a', 'b', 'ab'],
      'tokenizer.ggml.merges': ['a b'],
    };
    expect(ggufTokenizer(new GgufMetadata(metadata), undefined, notices).encode('ab')).toEqual([2]);
    expect(notices).toEqual([t('models:notices.unknownPreTokenizer')]);
  });
});

describe("SentencePiece's space in a GGUF", () => {
  const tokenizer = (names: string[], changes: Record<string, unknown> = {}) => {
    const pieces = ['<unk>', '<s>', '</s>', ...names, '▁', 'I', 'n', '▁I', '▁In', 'In'];
    return ggufTokenizer(
      new GgufMetadata({
        'tokenizer.ggml.model': 'llama',
        'tokenizer.ggml.tokens': pieces,
        'tokenizer.ggml.token_type': pieces.map((_, i) => (i === 0 ? 2 : i < 3 + names.length ? 3 : 1)),
        ...changes,
      }),
    );
  };
  const read = (made: TextTokenizer, text: string) => made.encode(text).map((id) => made.tokenText(id) || '▁');
  const pieces = (made: TextTokenizer, text: string) => made.encode(text).length;

  it('stands behind every special token for Llama 2, and only before the text for Mistral', () => {
    const llama = tokenizer(['<|x|>', '<|y|>']);
    const mistral = tokenizer(['[INST]', '[/INST]']);
    const id = (made: TextTokenizer, piece: string) => made.tokenId(piece)!;
    expect(llama.encode('In<|x|>In')).toEqual([id(llama, '▁In'), id(llama, '<|x|>'), id(llama, '▁In')]);
    expect(mistral.encode('In[INST]In')).toEqual([id(mistral, '▁In'), id(mistral, '[INST]'), id(mistral, 'In')]);
    expect(mistral.encode('[INST] In')).toEqual([id(mistral, '[INST]'), id(mistral, '▁In')]);
    expect(pieces(llama, '<|x|> In')).toBe(3);
    expect(read(mistral, 'In')).toEqual(['In']);
  });

  it('is left out where the file says so', () => {
    for (const names of [
      ['<|x|>', '<|y|>'],
      ['[INST]', '[/INST]'],
    ]) {
      const made = tokenizer(names, { 'tokenizer.ggml.add_space_prefix': false });
      expect(made.encode('In')).toEqual([made.tokenId('In')]);
    }
  });
});
