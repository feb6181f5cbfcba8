import 'fake-indexeddb/auto';
import { describe, expect, test } from 'vitest';
import { rng } from '../../../../src/base/rng';
import { newConversation, withTurn } from '../../../../src/ui/pages/chat/history/conversation';
import { ConversationList } from '../../../../src/ui/pages/chat/history/conversation-list.svelte';
import { serializeConversations } from '../../../../src/storage/conversation-schema';
import { ConversationStorage } from '../../../../src/storage/conversation-storage';
import { examples, judge } from '../../../../src/ui/pages/chat/examples';
import { adapterOf, loadLoading, saveLoading } from '../../../../src/ui/pages/chat/models/loading';
import { chatModels, DEFAULT_MODEL, modelOfFiles } from '../../../../src/ui/pages/chat/models/models';
import {
  loadChanges,
  recommendedSettings,
  saveChanges,
  settingFields,
  settingProblems,
  toySettings,
} from '../../../../src/ui/pages/chat/settings/settings';
import { actionOf } from '../../../../src/ui/pages/chat/shortcuts';
import { AnswerMeter, contextUsed, noStats, rate } from '../../../../src/ui/pages/chat/conversation/stats';
import { describe as inWords, named, percent, shade } from '../../../../src/ui/pages/chat/conversation/token-view';
import { chatModel } from './scripted';

describe('examples', () => {
  test('there is one of each task, the same for the same draw, and its own traces are judged right', () => {
    for (let draw = 0; draw < 20; draw++) {
      const drawn = examples(draw);
      expect(drawn.map(({ problem }) => problem.prompt)).toEqual(examples(draw).map(({ problem }) => problem.prompt));
      for (const example of drawn) {
        const { task, problem } = example;
        const trace = task.trace(rng(draw), problem, 'full');
        expect(judge(example, `${trace}<eos>`)).toEqual({
          correct: true,
          formatted: true,
          answer: problem.answer,
        });
        expect(judge(example, problem.answer)).toMatchObject({ correct: false, formatted: false });
        expect(judge(example, trace.replace('</answer>', '')).correct).toBe(false);
      }
    }
    expect(examples(1)[0]!.problem.prompt).not.toBe(examples(2)[0]!.problem.prompt);
  });
});

describe('settings', () => {
  test('what is recommended is fine, and R1 is asked as its makers say', () => {
    expect(settingProblems(toySettings)).toEqual({});
    expect(settingProblems(recommendedSettings(chatModel('m')))).toEqual({});
    const r1 = { label: 'DeepSeek-R1-Distill-Qwen-1.5B', toy: false };
    expect(recommendedSettings(r1)).toMatchObject({ temperature: 0.6, top_p: 0.95 });
    expect(recommendedSettings({ ...r1, sampling: { temperature: 0.5, top_p: NaN, top_k: undefined } })).toMatchObject({
      temperature: 0.5,
      top_p: 0.95,
      top_k: 0,
    });
    expect(recommendedSettings({ label: 'r1', toy: true })).toBe(toySettings);
  });

  test.each([
    ['temperature', -0.1],
    ['temperature', NaN],
    ['top_k', 1.5],
    ['top_p', 0],
    ['top_p', 1.1],
    ['min_p', 2],
    ['repetition_penalty', 0],
    ['max_tokens', 0],
    ['seed', -1],
  ] as const)('%s = %d is refused by name', (name, value) => {
    const label = settingFields.find((field) => field.name === name)!.label;
    expect(settingProblems({ ...toySettings, [name]: value })[name]).toContain(label);
  });

  test('changes are kept by model; what is broken is forgotten', () => {
    let text = '';
    const storage = { getItem: () => text, setItem: (_: string, value: string) => void (text = value) };
    saveChanges(storage, { a: { temperature: 0.1, top_p: 7 } });
    expect(loadChanges(storage)).toEqual({ a: { temperature: 0.1 } });
    for (text of ['{', '{"a":null}', '[]']) expect(loadChanges(storage)).toEqual({});
    expect(loadChanges(undefined)).toEqual({});
  });
});

test('how a model is loaded is kept; what is broken is forgotten', () => {
  let text = '';
  const storage = { getItem: () => text, setItem: (_: string, value: string) => void (text = value) };
  saveLoading(storage, { a: { quant: 'q8_0', cache: 'f16', context: 4096 } });
  expect(loadLoading(storage)).toEqual({ a: { quant: 'q8_0', cache: 'f16', context: 4096 } });
  text = '{"a":{"quant":"q1","cache":7,"context":1e99}}';
  expect(loadLoading(storage)).toEqual({ a: {} });
  for (text of ['{', '{"a":null}', '[]']) expect(loadLoading(storage)).toEqual({});
});

test('an adapter is a PEFT folder; it is chosen anew on each visit', () => {
  const file = (path: string) => {
    const made = new File(['{}'], path.split('/').at(-1)!);
    Object.defineProperty(made, 'webkitRelativePath', { value: path });
    return made;
  };
  const folder = ['poet/README.md', 'poet/adapter_config.json', 'poet/adapter_model.safetensors'].map(file);
  const adapter = adapterOf(folder)!;
  expect(adapter.name).toBe('poet (2 B)');
  expect(adapter.files).toEqual(folder.slice(1));
  expect(adapterOf(folder.slice(0, 2))).toBeNull();
  let text = '';
  const storage = { getItem: () => text, setItem: (_: string, value: string) => (text = value) };
  saveLoading(storage, { a: { quant: 'f16', adapter } });
  expect(loadLoading(storage)).toEqual({ a: { quant: 'f16' } });
});

describe('models', () => {
  const storage = {
    list: () =>
      Promise.resolve([
        { id: 'r', name: 'Sums', config: {} },
        { id: 'l', name: 'Stories', config: { lora_r: 16 } },
      ] as never),
    checkpointSteps: () => Promise.resolve([10, 20]),
    modelNames: () => Promise.resolve(['mine']),
  };
  test('all that are here are offered, complete ones only', async () => {
    const stored = [
      { id: 'a', name: 'Qwen', complete: true },
      { id: 'b', name: 'Half', complete: false },
    ];
    const found = await chatModels(storage, () => Promise.resolve(stored));
    expect(found.map(({ id, toy }) => [id, toy])).toEqual([
      [DEFAULT_MODEL, true],
      ['run:r@20', true],
      // Adapters of a large model.
      ['run:l@20', false],
      ['file:mine', true],
      ['store:a', false],
    ]);
  });
  test('without storage and engine the embedded one is', async () => {
    const no = () => Promise.reject(new Error('no'));
    expect((await chatModels({ ...storage, list: no }, no)).map(({ id }) => id)).toEqual([DEFAULT_MODEL]);
  });
  test('files of one’s own are a model, or it is said what is missing', () => {
    const file = (name: string) => new File([''], name);
    expect(modelOfFiles([file('tiny.Q4_K.gguf')])).toMatchObject({ label: 'tiny.Q4_K.gguf', toy: false });
    expect(modelOfFiles([file('config.json'), file('model.safetensors')]).files).toHaveLength(2);
    expect(() => modelOfFiles([file('a.gguf'), file('b.gguf')])).toThrow('several');
    expect(() => modelOfFiles([file('config.json')])).toThrow('.safetensors');
    expect(() => modelOfFiles([file('photo.png')])).toThrow('no model');
  });
});

describe('stats', () => {
  test('the speed is that of decoding: what came with the first token is not counted', () => {
    const meter = new AnswerMeter();
    for (const ms of [500, 501, 600, 700]) meter.token(ms);
    expect(meter.stats).toMatchObject({ tokens: 4, first_ms: 500, decode_tokens: 2, decode_ms: 200, total_ms: 700 });
    expect(rate(meter.stats)).toBe(10);
  });
  test('a continuation adds up', () => {
    const meter = new AnswerMeter({
      ...noStats,
      tokens: 3,
      first_ms: 100,
      decode_tokens: 2,
      decode_ms: 50,
      total_ms: 150,
    });
    for (const ms of [10, 60]) meter.token(ms);
    expect(meter.stats).toMatchObject({ tokens: 5, first_ms: 100, decode_tokens: 3, decode_ms: 100, total_ms: 210 });
  });
  test('one delivery alone has the speed of the whole; nothing has none', () => {
    const meter = new AnswerMeter();
    for (const ms of [100, 100]) meter.token(ms);
    expect(rate(meter.stats)).toBe(20);
    expect(rate(noStats)).toBeNull();
  });
  test('the context counts prompt and answer, up to its length', () => {
    const context = { prompt: 90, cached: 0, length: 100, prefill_ms: 1 };
    expect(contextUsed({ ...noStats, tokens: 5, context })).toEqual({ used: 95, length: 100 });
    // The prompt of a continuation holds the answer so far.
    const meter = new AnswerMeter({ ...noStats, tokens: 20 });
    meter.context(context);
    meter.token(1);
    expect(contextUsed(meter.stats)).toEqual({ used: 91, length: 100 });
    expect(contextUsed({ ...noStats, tokens: 50, context })).toEqual({ used: 100, length: 100 });
    expect(contextUsed(noStats)).toBeNull();
  });
});

describe('token view', () => {
  test('writes probabilities and tokens', () => {
    expect([0, Math.log(0.834), Math.log(0.05), Math.log(0.004), -20].map(percent)).toEqual([
      '100%',
      '83%',
      '5.0%',
      '0.40%',
      '< 0.01%',
    ]);
    expect(named(' a\n\u202e\u0001')).toBe('␣a⏎⟨U+202E⟩U+0001');
    expect(shade(0)).toBe(0);
    expect(shade(-30)).toBe(1);
    expect(shade(null)).toBeNull();
    const top = [
      { text: 'a', logprob: Math.log(0.5) },
      { text: 'b', logprob: Math.log(0.25) },
    ];
    expect(inWords({ text: 'a', logprob: Math.log(0.5), top })).toBe('a 50%; else b 25%');
  });
});

describe('shortcuts', () => {
  const press = (key: string, change: Partial<KeyboardEvent> = {}) => ({
    ...{ key, code: '', ctrlKey: false, metaKey: false, altKey: false, isComposing: false },
    ...change,
  });
  test('are left alone where characters are typed', () => {
    expect(actionOf(press('?'), false)).toBe('help');
    expect(actionOf(press('?'), true)).toBeNull();
    expect(actionOf(press('Escape'), true)).toBe('stop');
    expect(actionOf(press('Escape', { isComposing: true }), true)).toBeNull();
    expect(actionOf(press('k', { ctrlKey: true }), true)).toBe('search');
    expect(actionOf(press('K', { metaKey: true }), true)).toBe('search');
    expect(actionOf(press('†', { altKey: true, code: 'KeyT' }), true)).toBe('tokens');
    expect(actionOf(press('c', { ctrlKey: true }), false)).toBeNull();
  });
});

describe('kept conversations', () => {
  const asked = (id: string, text: string) =>
    withTurn(newConversation(id, 1), { id: 'q', role: 'user', parent: null, text, created: 1, example: null }, 2);

  test('are listed, found, renamed, deleted with a way back, and come in beside those that are here', async () => {
    const storage = new ConversationStorage('parts-test');
    await storage.save(asked('c1', 'Weather'));
    await storage.save({ ...asked('c2', 'Sums'), updated: 9 });
    const list = new ConversationList(storage);
    await list.load();
    expect(list.shown.map(({ title }) => title)).toEqual(['Sums', 'Weather']);
    list.query = 'weath';
    expect(list.shown.map(({ id }) => id)).toEqual(['c1']);
    list.query = '';
    await list.rename('c1', 'Rain');
    expect((await list.open('c1'))!.name).toBe('Rain');

    await list.removal.start({ id: 'c1', name: 'Rain' });
    expect(list.shown.map(({ id }) => id)).toEqual(['c2']);
    list.removal.undo();
    expect(list.shown).toHaveLength(2);
    await list.removal.start({ id: 'c1', name: 'Rain' });
    await list.removal.flush();
    expect(await storage.get('c1')).toBeUndefined();
    expect(await list.open('c1')).toBeNull();
    expect(list.problem).toContain('no longer kept');

    const text = serializeConversations([asked('c2', 'Sums'), asked('c3', 'New')]);
    const file = (body: string) => ({ name: 'x.json', size: body.length, text: () => Promise.resolve(body) });
    expect(await list.receive(file(text), () => 'fresh')).toBe(2);
    expect(list.entries.map(({ id }) => id).sort()).toEqual(['c2', 'c3', 'fresh']);
    expect(await list.receive(file('{}'))).toBe(0);
    expect(list.problem).toContain("x.json can't be imported");
    expect(await list.receive({ ...file(text), size: 1e9 })).toBe(0);
    expect(list.problem).toContain('too large');
  });

  test('a storage that refuses says what to do', async () => {
    const storage = new ConversationStorage('parts-full');
    const put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    await expect(storage.save(asked('c', 'x'))).rejects.toThrow('not saved');
    IDBObjectStore.prototype.put = put;
  });
});
