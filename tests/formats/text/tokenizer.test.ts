/** @file The embedded model's tokenizer against Transformers (goldens: tests/goldens/make_tokenizer.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TextTokenizer } from '../../../src/formats/text/tokenizer';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON of known files
const json = (path: string): any => JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'));
const folder = 'public/models/tinythink-1m';
const files = [json(`${folder}/tokenizer.json`), json(`${folder}/tokenizer_config.json`)] as const;
interface Golden {
  size: number;
  encodings: {
    text: string;
    ids: number[];
    with_special_tokens: number[];
    decoded: string;
    decoded_without_special_tokens: string;
  }[];
  chats: { messages: { role: string; content: string }[]; text: string }[];
}
const golden: Golden = json('tests/goldens/tokenizer.json');
const tokenizer = new TextTokenizer(...files);

describe('TextTokenizer', () => {
  it.each(golden.encodings)('agrees with Transformers on $text', (expected) => {
    expect(tokenizer.encode(expected.text)).toEqual(expected.ids);
    expect(tokenizer.encode(expected.text, { add_special_tokens: true })).toEqual(expected.with_special_tokens);
    expect(tokenizer.decode(expected.ids)).toBe(expected.decoded);
    const clean = tokenizer.decode(expected.ids, { skip_special_tokens: true });
    expect(clean).toBe(expected.decoded_without_special_tokens);
  });

  it.each(golden.chats)('renders chats as Transformers does: $text', ({ messages, text }) => {
    expect(tokenizer.applyChatTemplate(messages, { add_generation_prompt: true })).toBe(text);
    // The template holds <bos>: encoding its text adds no second one.
    expect(tokenizer.encode(text).filter((id) => id === tokenizer.bosId)).toHaveLength(1);
  });

  it('has 64 tokens, and knows the special ones', () => {
    expect(tokenizer.vocabularySize).toBe(64);
    expect(golden.size).toBe(64);
    expect([tokenizer.padId, tokenizer.bosId, tokenizer.eosId]).toEqual([0, 1, 2]);
    expect(tokenizer.tokenId('</answer>')).toBe(6);
    expect(tokenizer.tokenId('no such token')).toBeNull();
    for (let id = 0; id < 64; id++) expect(tokenizer.tokenId(tokenizer.tokenText(id))).toBe(id);
  });

  it('gives nothing for ids beyond the vocabulary', () => {
    expect(tokenizer.decode([8, 64, 9, 1e9, -1])).toBe('12');
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode(Uint32Array.of(8, 9))).toBe('12');
  });

  it('reads AddedToken objects and named templates', () => {
    const config = {
      eos_token: { content: '<eos>', special: true },
      chat_template: [
        { name: 'tool_use', template: 'no' },
        { name: 'default', template: '{{ messages[0].content }}!' },
      ],
    };
    const other = new TextTokenizer(files[0], config);
    expect([other.eosId, other.bosId]).toEqual([2, null]);
    expect(other.applyChatTemplate([{ role: 'user', content: 'hi' }])).toBe('hi!');
    const jinja = new TextTokenizer(files[0], config, '{{ eos_token }}{% if add_generation_prompt %}>{% endif %}');
    expect(jinja.applyChatTemplate([], { add_generation_prompt: true })).toBe('<eos>>');
  });

  it('gives templates what Transformers gives them', () => {
    const show = (template: string, variables?: Record<string, unknown>) =>
      new TextTokenizer(files[0], {}, template).applyChatTemplate([{ role: 'user', content: 'hi' }], {
        ...(variables && { variables }),
      });
    expect(show('{{ tools is defined and tools is none }} {{ documents is none }}')).toBe('True True');
    expect(show('{{ enable_thinking is defined }}')).toBe('False');
    expect(show('{% if enable_thinking is false %}no{% endif %}', { enable_thinking: false })).toBe('no');
    // Neither can be put over by a variable.
    expect(show('{{ messages|length }} {{ add_generation_prompt }}', { messages: [] })).toBe('1 False');
  });

  it('leaves the last message open', () => {
    const render = (template: string, content: string) =>
      new TextTokenizer(files[0], {}, template).applyChatTemplate([{ role: 'assistant', content }], {
        continue_final_message: true,
      });
    expect(render('<{{ messages[0].content }}>', 'a ')).toBe('<a ');
    expect(render('<{{ messages[0].content|trim }}>', 'a ')).toBe('<a');
    expect(() => render('<{{ messages[0].content[1:] }}>', 'a')).toThrow(/leaves out a part/);
    expect(() => render('<>', 'a')).toThrow(/leaves out a part/);
    const both = { add_generation_prompt: true, continue_final_message: true };
    expect(() => tokenizer.applyChatTemplate([{ role: 'user', content: 'a' }], both)).toThrow(/no new one/);
  });

  it('says what is wrong', () => {
    expect(() => new TextTokenizer(null, {})).toThrow(/must be JSON objects/);
    expect(() => new TextTokenizer({}, {})).toThrow('tokenizer.json has no model');
    expect(() => new TextTokenizer({ ...files[0], model: { type: 'Magic' } }, {})).toThrow(
      /model\.vocab holds no tokens/,
    );
    const bare = new TextTokenizer(files[0], {});
    expect(bare.hasChatTemplate).toBe(false);
    const strict = new TextTokenizer(files[0], {}, "{{ raise_exception('roles must alternate') }}");
    expect(() => strict.applyChatTemplate([])).toThrow(/roles must alternate/);
  });
});
