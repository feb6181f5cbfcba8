/** @file Models with something unusual about them: they open all the same, and say what it is. */
import { describe, expect, it } from 'vitest';
import type { ModelFiles } from '../../src/formats/files/model-files';
import { readWeights } from '../../src/formats/model';
import { openModel } from '../../src/formats/open-model';
import { readSafetensors, toFloat32, writeSafetensors, type FloatTensor } from '../../src/formats/hf/safetensors';
import { renderChat } from '../../src/formats/text/chat-template';
import { t } from '../../src/i18n';
import { checkpoint, readGolden } from './checkpoints';

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const json = (path: string) => JSON.parse(new TextDecoder().decode(readGolden(path))) as Record<string, unknown>;
const raw = (value: string) => new TextEncoder().encode(value);
const noticesOf = async (files: ModelFiles) => (await openModel(files)).notices;

/** A folder of the goldens with some keys of its JSON files changed. */
function changed(name: string, changes: Record<string, object>, others: Record<string, Uint8Array | null> = {}) {
  const files = Object.entries(changes).map(([path, keys]) => [path, text({ ...json(`${name}/${path}`), ...keys })]);
  return checkpoint(name, { ...(Object.fromEntries(files) as Record<string, Uint8Array>), ...others });
}

describe('models without anything unusual', () => {
  it.each(['llama3', 'r1-qwen2', 'qwen3', 'mistral', 'smollm2', 'qwen2-q4_0.gguf', 'llama3-k.gguf', 'llama-q4_0.gguf'])(
    'have no notices: %s',
    async (name) => expect(await noticesOf(checkpoint(name))).toEqual([]),
  );
});

describe('ends', () => {
  it("counts the tokenizer's end beside the settings'", async () => {
    const ids = async (changes: Parameters<typeof changed>[1]) =>
      (await openModel(changed('llama3', changes))).config.eos_token_ids;
    const { added_tokens: added } = json('llama3/tokenizer.json') as {
      added_tokens: { id: number; content: string }[];
    };
    const id = (content: string) => added.find((token) => token.content === content)!.id;
    const known = [id('<|eot_id|>'), id('<|eom_id|>'), id('<|end_of_text|>')];
    const bos = id('<|begin_of_text|>');
    const generation = { 'generation_config.json': { eos_token_id: bos } };
    expect(await ids(generation)).toEqual([bos, ...known]);
    const tokenizer = { 'tokenizer_config.json': { eos_token: { content: '<|start_header_id|>' } } };
    expect((await ids({ ...generation, ...tokenizer })).slice(0, 2)).toEqual([bos, id('<|start_header_id|>')]);
    const eot = { 'tokenizer_config.json': { eos_token: null, eot_token: '<|end_header_id|>' } };
    expect((await ids({ ...generation, ...eot })).slice(0, 2)).toEqual([bos, id('<|end_header_id|>')]);
  });

  it('says which cannot occur, and where none is left', async () => {
    const beyond = { 'generation_config.json': { eos_token_id: [2, 9999] } };
    expect(await noticesOf(changed('mistral', beyond))).toEqual([t('models:notices.endsLeftOut', { ids: '9999' })]);
    const none = { ...beyond, 'tokenizer_config.json': { eos_token: null } };
    none['generation_config.json'] = { eos_token_id: [9999] };
    expect(await noticesOf(changed('mistral', none))).toContain(t('models:notices.noEnds'));
  });
});

describe('the JSON that Python writes', () => {
  const config = JSON.stringify(json('smollm2/config.json'));
  const withKeys = (keys: string) => checkpoint('smollm2', { 'config.json': raw(config.replace('{', `{${keys},`)) });

  it('may hold NaN and Infinity where nothing is computed from them', async () => {
    const keys = '"attention_dropout":NaN,"a":[Infinity,-Infinity],"note":"NaN, \\"Infinity\\" stay"';
    expect((await openModel(withKeys(keys))).config).toEqual((await openModel(checkpoint('smollm2'))).config);
  });

  it.each(['rms_norm_eps', 'hidden_size', 'rope_theta'])('is refused where %s is NaN', async (key) => {
    const broken = config.replace(new RegExp(`"${key}":[^,}]+`), `"${key}":NaN`);
    await expect(openModel(checkpoint('smollm2', { 'config.json': raw(broken) }))).rejects.toThrow(`${key} must be`);
  });

  it('is still refused where it is no JSON', async () => {
    const broken = checkpoint('smollm2', { 'config.json': raw('{"a": NaN, b}') });
    await expect(openModel(broken)).rejects.toThrow(/^config\.json: /);
  });
});

describe('a tied output layer', () => {
  const stored = readSafetensors(readGolden('smollm2/model.safetensors')).tensors;
  const weights: FloatTensor[] = [...stored].map(([name, tensor]) => ({
    name,
    shape: tensor.shape,
    data: toFloat32(tensor),
  }));
  const embedding = weights.find(({ name }) => name === 'model.embed_tokens.weight')!;
  const files = (tensors: FloatTensor[]) =>
    checkpoint('smollm2', { 'model.safetensors': writeSafetensors(tensors, 'F16') });
  const head = { ...embedding, name: 'lm_head.weight' };

  it('may be stored beside the embedding', async () => {
    const model = await openModel(files([...weights, head]));
    expect(model.config.tie_word_embeddings).toBe(true);
    expect(model.notices).toEqual([]);
  });

  it('is used as it is stored where it is another one', async () => {
    const other = Float32Array.from(embedding.data);
    other[other.length - 1]! += 1;
    const model = await openModel(files([...weights, { ...head, data: other }]));
    expect(model.config.tie_word_embeddings).toBe(false);
    expect(model.notices).toEqual([t('models:notices.untiedHead')]);
    const read = await readWeights(model);
    expect(read.get('lm_head.weight')!.data.at(-1)).toBeCloseTo(other.at(-1)!, 2);
  });

  it('stands for an embedding that is missing', async () => {
    const without = weights.filter(({ name }) => name !== embedding.name);
    const model = await openModel(files([...without, head]));
    expect(model.config.tie_word_embeddings).toBe(true);
    expect((await readWeights(model)).get(embedding.name)!.data).toEqual(embedding.data);
  });
});

describe('tokens that the model has no embedding for', () => {
  it('are read as text, and named', async () => {
    const tokenizer = json('mistral/tokenizer.json') as { added_tokens: object[] };
    const { vocab_size } = json('mistral/config.json') as { vocab_size: number };
    const extra = ['<pad>', '<extra>'].map((content, i) => ({ id: vocab_size + i, content, special: true }));
    const model = await openModel(
      checkpoint('mistral', {
        'tokenizer.json': text({ ...tokenizer, added_tokens: [...tokenizer.added_tokens, ...extra] }),
      }),
    );
    expect(model.notices).toEqual([t('models:notices.tokensLeftOut', { count: 2, tokens: '<pad> <extra>' })]);
    expect(model.tokenizer!.encode('a<pad>b').every((id) => id < vocab_size)).toBe(true);
  });
});

describe('chat templates', () => {
  const template = (name: string, chat_template: unknown) =>
    changed(name, { 'tokenizer_config.json': { chat_template } }, { 'chat_template.jinja': null });
  const ask = [{ role: 'user', content: 'Hi' }];
  const brief = [{ role: 'system', content: 'Be brief.' }, ...ask];

  it.each([
    [
      'qwen3',
      'chatml',
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    ],
    [
      'llama3',
      'llama3',
      '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    ],
    ['r1-qwen2', 'deepseek', '<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi<｜Assistant｜>'],
    ['mistral', 'mistral', '<s>[INST] Be brief.\n\nHi[/INST]'],
  ] as const)('are stood in for by what the tokens of %s show', async (name, form, rendered) => {
    for (const none of [undefined, '', ' \n', [], [{ name: 'tool_use', template: 'T' }], { rag: 'R' }]) {
      const { tokenizer, notices } = await openModel(template(name, none));
      expect(notices).toEqual([t(`models:notices.standIn.${form}`)]);
      expect(renderChat(tokenizer!, brief)).toEqual({ text: rendered, notice: '' });
      expect(tokenizer!.hasChatTemplate).toBe(false);
    }
  });

  it('are plain text for a model without such tokens', async () => {
    const tokenizer = json('mistral/tokenizer.json') as { added_tokens: { content: string }[] };
    const renamed = JSON.stringify(tokenizer).replaceAll('[INST]', '[A]').replaceAll('[/INST]', '[B]');
    const files = changed(
      'mistral',
      { 'tokenizer_config.json': { chat_template: null } },
      { 'chat_template.jinja': null, 'tokenizer.json': raw(renamed) },
    );
    const model = await openModel(files);
    expect(model.notices).toEqual([t('models:notices.standIn.plain')]);
    const answered = [...brief, { role: 'assistant', content: 'Hello.' }, { role: 'user', content: 'Bye' }];
    expect(renderChat(model.tokenizer!, answered).text).toBe(
      '<s>Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Bye\n\nAssistant:',
    );
  });

  it('are chosen by name where several are there', async () => {
    const named = [
      { name: 'tool_use', template: 'T' },
      { name: 'chat', template: '[{{ messages[0].content }}]' },
    ];
    const model = await openModel(template('qwen3', named));
    expect(model.notices).toEqual([t('models:notices.namedTemplate', { name: 'chat' })]);
    expect(renderChat(model.tokenizer!, ask).text).toBe('[Hi]');
    const withDefault = await openModel(template('qwen3', { default: 'D', chat: 'C' }));
    expect(renderChat(withDefault.tokenizer!, ask).text).toBe('D');
  });

  const loop = '{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}';
  it.each([
    ['refuse it', `{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}${loop}`],
    ['leave it out', "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}"],
    [
      'refuse it by its role',
      `{% for m in messages %}{% if m.role not in ['user', 'assistant'] %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}${loop}`,
    ],
  ])('get a system prompt into the first question where they %s', async (_, source) => {
    const { tokenizer, notices } = await openModel(template('qwen3', source));
    expect(notices).toEqual([t('models:notices.noSystem')]);
    const folded = renderChat(tokenizer!, brief);
    expect(folded).toEqual({ text: '[user]Be brief.\n\nHi', notice: t('models:notices.noSystem') });
    expect(renderChat(tokenizer!, ask)).toEqual({ text: '[user]Hi', notice: '' });
    const empty = [{ role: 'system', content: '  ' }, ...ask];
    expect(renderChat(tokenizer!, empty)).toEqual({ text: '[user]Hi', notice: '' });
    const continued = renderChat(tokenizer!, [...brief, { role: 'assistant', content: 'Yes?' }, ...ask]);
    expect(continued.text).toBe('[user]Be brief.\n\nHi[assistant]Yes?[user]Hi');
  });

  it('are taken at their word where they change or refuse more than the system prompt', async () => {
    const louder = await openModel(template('qwen3', '{% for m in messages %}{{ m.content | upper }};{% endfor %}'));
    expect(renderChat(louder.tokenizer!, brief)).toEqual({ text: 'BE BRIEF.;HI;', notice: '' });
    const never = await openModel(template('qwen3', "{{ raise_exception('closed') }}"));
    expect(() => renderChat(never.tokenizer!, brief)).toThrow('the chat template fails: closed');
    expect(() => renderChat(never.tokenizer!, ask)).toThrow('the chat template fails: closed');
  });
});
