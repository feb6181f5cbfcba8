import type { Conversation } from '../../../../../src/storage/conversation';
import { describe, expect, test } from 'vitest';
import type { ChatModel } from '../../../../../src/runs/chat-model';
import { ChatSession, type ModelRequest } from '../../../../../src/ui/pages/chat/conversation/chat-session.svelte';
import { rounds } from '../../../../../src/ui/pages/chat/history/conversation';
import { examples } from '../../../../../src/ui/pages/chat/examples';
import { OpenModels } from '../../../../../src/ui/pages/chat/models/open-models.svelte';
import { requestTo, scripted } from '../scripted-models';

function sessionWith(
  scriptedModels: Record<string, ChatModel>,
  save: (conversation: Conversation) => Promise<void> = async () => {},
) {
  let id = 0;
  let time = 0;
  const opened: string[] = [];
  const models = new OpenModels(({ id }) => {
    opened.push(id);
    const model = scriptedModels[id];
    return model ? Promise.resolve(model) : Promise.reject(new Error('no such model'));
  });
  const session = new ChatSession({ models, save, now: () => (time += 10), newId: () => `id${id++}` });
  const last = () => rounds(session.conversation).at(-1)!;
  return { session, opened, last, models };
}

describe('ChatSession', () => {
  test('streams an answer with its figures, and saves it', async () => {
    const kept: Conversation[] = [];
    const context = { prompt: 9, cached: 3, length: 100, prefill_ms: 5 };
    const top = [
      { text: 'x', logprob: -0.1 },
      { text: 'y', logprob: -Infinity },
    ];
    const a = scripted([
      { text: '<think>', logprob: -0.5, context },
      { text: '</think>', logprob: -Infinity },
      { text: 'x', logprob: -0.1, top, notice: 'full' },
      { text: '', finish: 'stop' },
    ]);
    const { session, last } = sessionWith({ a }, async (conversation) => void kept.push(conversation));
    const sent = session.send('1+1=', [requestTo('a', { alternatives: true })]);
    expect(session.busy).toBe(true);
    await sent;
    await session.saved();
    expect(session.busy).toBe(false);
    expect(a.requests[0]).toMatchObject({
      messages: [{ role: 'user', content: '1+1=' }],
      temperature: 0.7,
      min_p: 0,
      top_logprobs: 5,
    });
    expect(a.requests[0]).not.toHaveProperty('prefix');
    const turn = last().answers[0]!.turn;
    expect(turn).toMatchObject({
      text: '<think></think>x',
      status: 'done',
      model: { id: 'a', label: 'A' },
      notices: ['full'],
      thought: { tokens: 2 },
      stats: { tokens: 3, context },
    });
    expect(turn.tokens).toEqual([
      { text: '<think>', logprob: -0.5 },
      { text: '</think>', logprob: null },
      { text: 'x', logprob: -0.1, top: [top[0]] },
    ]);
    expect(kept.at(-1)).toBe(session.conversation);
    expect(session.live).toBeNull();
  });

  test('rejects an empty question, and another one while the first is answered', async () => {
    const { session } = sessionWith({ a: scripted(['x']) });
    await session.send('  ', [requestTo('a')]);
    const first = session.send('one', [requestTo('a')]);
    await session.send('two', [requestTo('a')]);
    await first;
    expect(rounds(session.conversation).map(({ user }) => user.text)).toEqual(['one']);
  });

  test('a later question includes what was said before, without the thoughts', async () => {
    const a = scripted(['<think>hm</think>', '2']);
    const { session } = sessionWith({ a });
    session.setSystem('Be brief.');
    await session.send('1+1?', [requestTo('a')]);
    await session.send('sure?', [requestTo('a')]);
    expect(a.requests[1]!.messages.map(({ content }) => content)).toEqual(['Be brief.', '1+1?', '2', 'sure?']);
  });

  test('two models answer one after the other, each with its own history', async () => {
    const a = scripted(['from a']);
    const b = scripted(['from b']);
    const { session, last, opened } = sessionWith({ a, b });
    await session.send('one', [requestTo('a'), requestTo('b')]);
    await session.send('two', [requestTo('a'), requestTo('b')]);
    expect(last().answers.map((view) => view?.turn.text)).toEqual(['from a', 'from b']);
    expect(a.requests[1]!.messages.map(({ content }) => content)).toEqual(['one', 'from a', 'two']);
    expect(b.requests[1]!.messages.map(({ content }) => content)).toEqual(['one', 'from b', 'two']);
    expect(opened).toEqual(['a', 'b']);
  });

  test('regenerating and editing add versions and lose nothing', async () => {
    const { session, last } = sessionWith({ a: scripted(['x']) });
    await session.send('one', [requestTo('a')]);
    await session.regenerate(last().answers[0]!.turn, requestTo('a'));
    expect(last().answers[0]!.versions).toHaveLength(2);
    await session.send('one, edited', [requestTo('a')], { replaces: last().user });
    expect(last().user.text).toBe('one, edited');
    expect(last().versions.map(({ text }) => text)).toEqual(['one', 'one, edited']);
    session.showVersion(last().user.id, -1);
    expect(last().answers[0]!.versions).toHaveLength(2);
  });

  test('a stopped answer is kept, and continues where it stopped', async () => {
    let stop = () => {};
    const requests: unknown[] = [];
    const endless: ChatModel = {
      name: 'endless',
      async *generate(request, signal) {
        requests.push(request.prefix);
        for (let i = 0; !signal.aborted && i < 10; i++) {
          if (i === 3 && request.prefix === undefined) stop();
          yield { text: String(i) };
        }
      },
    };
    const { session, last } = sessionWith({ endless });
    stop = () => session.stop();
    await session.send('count', [requestTo('endless')]);
    const stopped = last().answers[0]!.turn;
    expect(stopped).toMatchObject({ status: 'stopped', text: '0123', verdict: null });
    await session.continueAnswer(stopped, requestTo('endless'));
    const ended = last().answers[0]!;
    expect(ended.versions).toHaveLength(1);
    expect(ended.turn).toMatchObject({ status: 'done', text: '01230123456789', stats: { tokens: 14 } });
    expect(ended.turn.tokens).toHaveLength(14);
    expect(ended.turn.stats.total_ms).toBeGreaterThan(stopped.stats.total_ms);
    expect(requests).toEqual([undefined, '0123']);
  });

  test('settings are read again when the model is open, and are saved with the answer', async () => {
    const a = { ...scripted(['x']), sampling: { temperature: 0.3 } };
    const { session, last } = sessionWith({ a });
    const settings: ModelRequest['settings'] = (sampling) => ({ ...requestTo('a').settings(), ...sampling });
    await session.send('one', [requestTo('a', { settings })]);
    expect(a.requests[0]).toMatchObject({ temperature: 0.3 });
    expect(last().answers[0]!.turn.settings.temperature).toBe(0.3);
  });

  test('an answer that reaches its limit says so', async () => {
    const { session, last } = sessionWith({ a: scripted(['x', 'y']), b: scripted([{ text: 'x', finish: 'length' }]) });
    const settings = () => ({ ...requestTo('a').settings(), max_tokens: 2 });
    await session.send('one', [requestTo('a', { settings }), requestTo('b')]);
    expect(last().answers.map((view) => view?.turn.status)).toEqual(['length', 'length']);
  });

  test('after a failure the model is opened again and the conversation continues', async () => {
    const a = scripted(['x'], new Error('the GPU device was lost'));
    const { session, last, opened } = sessionWith({ a });
    await session.send('one', [requestTo('a'), requestTo('gone')]);
    expect(last().answers[0]!.turn).toMatchObject({ status: 'failed', text: 'x', error: 'the GPU device was lost' });
    expect(last().answers[1]!.turn).toMatchObject({ status: 'failed', error: 'no such model' });
    expect(a.closed).toBe(1);
    await session.send('two', [requestTo('a')]);
    expect(opened).toEqual(['a', 'gone', 'a']);
  });

  test('opening can be cancelled, and a model that opens too late is closed', async () => {
    const late = scripted(['x']);
    let open = () => {};
    const models = new OpenModels((_, progress) => {
      progress({ phase: 'loading', done: 1, total: 2 });
      return new Promise((resolve) => (open = () => resolve(late)));
    });
    const session = new ChatSession({ models, save: async () => {} });
    const sent = session.send('one', [requestTo('a')]);
    expect(models.opening).toMatchObject({ progress: { phase: 'loading', done: 1, total: 2 } });
    session.stop();
    await sent;
    expect(models.opening).toBeNull();
    expect(rounds(session.conversation)[0]!.answers[0]!.turn).toMatchObject({ status: 'stopped', text: '' });
    open();
    await new Promise((done) => setTimeout(done));
    expect(late.closed).toBe(1);
  });

  test('a failure to save is reported until saving works again', async () => {
    let full = true;
    const { session } = sessionWith({ a: scripted(['x']) }, () =>
      full ? Promise.reject(new Error('The storage is full.')) : Promise.resolve(),
    );
    await session.send('one', [requestTo('a')]);
    await session.saved();
    expect(session.saveProblem).toBe('The storage is full.');
    full = false;
    session.rename('x');
    await session.saved();
    expect(session.saveProblem).toBe('');
  });

  test('changes that come while one is being saved are saved as one', async () => {
    const systems: string[] = [];
    const { session } = sessionWith({ a: scripted(['x']) }, async ({ system }) => void systems.push(system));
    await session.send('one', [requestTo('a')]);
    await session.saved();
    systems.length = 0;
    for (const system of ['B', 'Be', 'Be brief']) session.setSystem(system);
    await session.saved();
    expect(systems).toEqual(['Be brief']);
  });

  test('an answer whose conversation is left is saved in that conversation', async () => {
    const kept = new Map<string, Conversation>();
    const { session } = sessionWith({ a: scripted(['x', 'y']) }, async (each) => void kept.set(each.id, each));
    const { id } = session.conversation;
    const sent = session.send('one', [requestTo('a')]);
    await Promise.resolve();
    session.reset();
    await sent;
    await session.saved();
    expect(Object.values(session.conversation.turns)).toEqual([]);
    expect(rounds(kept.get(id)!)[0]!.answers[0]!.turn.status).toBe('stopped');
  });

  test('an answer to an example problem is checked', async () => {
    const example = examples(1)[0]!;
    const { answer } = example.problem;
    const tokens = (text: string) => ['<think>', '</think>', '<answer>', text, '</answer>'];
    const { session, last } = sessionWith({ a: scripted(tokens(answer)), b: scripted(tokens(`${answer}0`)) });
    await session.send(example.problem.prompt, [requestTo('a'), requestTo('b')], { example });
    expect(last().answers.map((view) => view?.turn.verdict?.correct)).toEqual([true, false]);
  });
});
