/** @file Evaluating a policy: how answers are summed up. */
import { describe, expect, it } from 'vitest';
import { evaluateChatModel, summarise, wilson, type Answered } from '../../src/eval/evaluation';
import type { GenerateRequest, ChatModel } from '../../src/runs/chat-model';
import { getTask } from '../../src/tasks';

/** Answers with what `say` makes of the question and the seed, in two tokens. */
function speaker(say: (question: string, seed: number) => string): ChatModel {
  return {
    name: 'speaker',
    async *generate({ messages, seed }: GenerateRequest) {
      yield { text: '<think></think>' };
      yield { text: say(messages.at(-1)!.content, seed), finish: 'stop' as const };
    },
  };
}

const options = {
  task: getTask('sum'),
  difficulty: 3,
  n: 20,
  k: 3,
  seed: 5,
  request: { max_tokens: 10, temperature: 1, top_k: 0, top_p: 1 },
};

async function run(policy: ChatModel, signal = new AbortController().signal): Promise<Answered[]> {
  const all: Answered[] = [];
  for await (const answered of evaluateChatModel(policy, options, signal)) all.push(answered);
  return all;
}

const solve = (question: string): number => {
  const chain = /^[-+\d]+=$/m.exec(question)![0].slice(0, -1);
  return chain.match(/[-+]?\d+/g)!.reduce((total, term) => total + Number(term), 0);
};

describe('evaluateChatModel', () => {
  it('asks the same held-out problems every time, and finds a right answer right', async () => {
    const right = await run(speaker((question) => `\\boxed{${solve(question)}}`));
    expect(summarise(right)).toMatchObject({ problems: 20, answers: 60, pass_at_1: 1, pass_at_k: 1, majority: 1 });
    const again = await run(speaker(() => 'no'));
    expect(again.map(({ problem }) => problem.prompt)).toEqual(right.map(({ problem }) => problem.prompt));
    expect(summarise(again)).toMatchObject({ pass_at_1: 0, pass_at_k: 0, majority: 0, mean_tokens: 2, truncated: 0 });
  });

  it('tells one right answer of three from two of three', async () => {
    const one = await run(speaker((question, seed) => `\\boxed{${seed === 6 ? solve(question) : 'wrong'}}`));
    expect(summarise(one)).toMatchObject({ pass_at_k: 1, majority: 0 });
    expect(summarise(one).pass_at_1).toBeCloseTo(1 / 3);
    const two = await run(speaker((question, seed) => `\\boxed{${seed === 6 ? 'wrong' : solve(question)}}`));
    expect(summarise(two)).toMatchObject({ pass_at_k: 1, majority: 1 });
  });

  it('ends when told to, with the problems that were answered in full', async () => {
    const abort = new AbortController();
    let asked = 0;
    const policy = speaker(() => {
      if (++asked === 7) abort.abort();
      return '1';
    });
    expect(await run(policy, abort.signal)).toHaveLength(2);
  });
});

describe('wilson', () => {
  it('is the interval of the textbook', () => {
    const [low, high] = wilson(0.5, 100);
    expect(low).toBeCloseTo(0.4038, 3);
    expect(high).toBeCloseTo(0.5962, 3);
    expect(wilson(1, 10)[1]).toBeCloseTo(1, 6);
    expect(wilson(0, 10)[0]).toBe(0);
  });
});
