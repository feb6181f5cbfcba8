import { describe, expect, test } from 'vitest';
import type { GenerateRequest, Policy, PolicyToken } from '../../../src/runs/policy';
import { rng } from '../../../src/tasks/rng';
import { ChatState } from '../../../src/ui/chat/chat-state.svelte';
import { examples, judge } from '../../../src/ui/chat/examples';
import { defaultSettings, settingFields, settingProblems } from '../../../src/ui/chat/settings';

/** A policy that answers from a list, one token at a time, and notes what it was asked. */
function scripted(tokens: PolicyToken[], end?: Error): Policy & { requests: GenerateRequest[] } {
  const requests: GenerateRequest[] = [];
  return {
    name: 'scripted',
    requests,
    async *generate(request, signal) {
      requests.push(request);
      for (const token of tokens) {
        if (signal.aborted) return;
        await Promise.resolve();
        yield token;
      }
      if (end) throw end;
    },
  };
}

describe('ChatState', () => {
  test('streams an answer with its log-probabilities and the settings it was asked with', async () => {
    const chat = new ChatState(() => 0);
    const policy = scripted([{ text: '<think>', logprob: -0.5 }, { text: 'x' }]);
    const sent = chat.send(policy, '1+1=', { ...defaultSettings, seed: 7 });
    expect(chat.busy).toBe(true);
    await sent;
    expect(policy.requests[0]).toMatchObject({
      messages: [{ role: 'user', content: '1+1=' }],
      seed: 7,
      max_tokens: 112,
    });
    expect(chat.exchanges[0]).toMatchObject({ status: 'done', tokens: ['<think>', 'x'], model: 'scripted' });
    expect(chat.exchanges[0]!.logprobs).toEqual([-0.5, NaN]);
    expect(chat.busy).toBe(false);
  });

  test('refuses an empty prompt, and a second one while the first is answered', async () => {
    const chat = new ChatState();
    const policy = scripted([{ text: 'a' }]);
    await chat.send(policy, '  ', defaultSettings);
    const first = chat.send(policy, 'one', defaultSettings);
    await chat.send(policy, 'two', defaultSettings);
    await first;
    expect(chat.exchanges.map((exchange) => exchange.prompt)).toEqual(['one']);
  });

  test('stopping keeps what has come', async () => {
    const chat = new ChatState();
    const policy: Policy = {
      name: 'endless',
      async *generate(_, signal) {
        for (let i = 0; !signal.aborted; i++) {
          if (i === 3) chat.stop();
          yield { text: String(i) };
        }
      },
    };
    await chat.send(policy, 'count', defaultSettings);
    expect(chat.exchanges[0]).toMatchObject({ status: 'stopped', tokens: ['0', '1', '2', '3'], verdict: null });
  });

  test('a failure is told, and the conversation goes on', async () => {
    const chat = new ChatState();
    await chat.send(scripted([{ text: 'a' }], new Error('the GPU device was lost')), 'x', defaultSettings);
    expect(chat.exchanges[0]).toMatchObject({ status: 'failed', tokens: ['a'], error: 'the GPU device was lost' });
    await chat.send(scripted([{ text: 'b' }]), 'y', defaultSettings);
    expect(chat.exchanges[1]).toMatchObject({ status: 'done', tokens: ['b'] });
  });

  test('an answer to a known problem is judged', async () => {
    const chat = new ChatState();
    const example = examples(1)[0]!;
    const answer = (text: string) =>
      scripted(['<think>', '</think>', '<answer>', text, '</answer>', '<eos>'].map((each) => ({ text: each })));
    await chat.send(answer(example.problem.answer), example.problem.prompt, defaultSettings, example);
    await chat.send(answer(`${example.problem.answer}0`), example.problem.prompt, defaultSettings, example);
    expect(chat.exchanges.map((exchange) => exchange.verdict?.correct)).toEqual([true, false]);
  });
});

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
  test('the defaults are fine', () => expect(settingProblems(defaultSettings)).toEqual({}));

  test.each([
    ['temperature', -0.1],
    ['temperature', NaN],
    ['top_k', 1.5],
    ['top_p', 0],
    ['top_p', 1.1],
    ['max_tokens', 0],
    ['seed', -1],
  ] as const)('%s = %d is refused by name', (name, value) => {
    const label = settingFields.find((field) => field.name === name)!.label;
    expect(settingProblems({ ...defaultSettings, [name]: value })[name]).toContain(label);
  });
});
