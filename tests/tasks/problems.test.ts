/** @file Problems for different purposes never share a random stream, and every evaluation asks the same held-out ones. */
import { describe, expect, it } from 'vitest';
import { rng } from '../../src/base/rng';
import { buildProblems } from '../../src/eval/problem-set';
import { evaluate, type EvaluationParts } from '../../src/rl/evaluate';
import { defaultRunConfig } from '../../src/runs/config';
import { getTask } from '../../src/tasks';
import { heldOutProblem, problemKeys, trainingProblems } from '../../src/tasks/problems';

const task = getTask('sum');
const prompts = (problems: readonly { prompt: string }[]) => problems.map(({ prompt }) => prompt);

describe('the problems of a task', () => {
  it('have random streams that no seed makes meet', () => {
    // Two streams can only be the same if they have as many keys and agree in each. These keys are fixed; NaN is free.
    const free = NaN;
    const patterns = [
      problemKeys.training(free, free),
      problemKeys.teaching(free, free),
      problemKeys.heldOut(free),
      problemKeys.example(free),
    ];
    const canMeet = (a: number[], b: number[]) =>
      a.length === b.length && a.every((key, i) => Number.isNaN(key) || Number.isNaN(b[i]) || key === b[i]);
    for (const [i, a] of patterns.entries()) for (const b of patterns.slice(i + 1)) expect(canMeet(a, b)).toBe(false);
    expect(canMeet([free, 1, free], [0xd157, free, free])).toBe(true);
  });

  it('are drawn in training and held out as committed runs have them', () => {
    const random = rng(7, 1, 3);
    const drawn = [task.generate(random, 4), task.generate(random, 4)];
    expect(trainingProblems(task, 4, 7, 3, 2)).toEqual(drawn);
    expect(heldOutProblem(task, 4, 5)).toEqual(task.generate(rng(2, 5), 4));
  });

  it('are the same for the curve of a run and for an evaluation', async () => {
    const asked: string[] = [];
    const tokenizer = { encode: (text: string) => (asked.push(text), []), bosId: null };
    await evaluate({
      task,
      config: { ...defaultRunConfig, difficulty: 4 },
      tokenizer: tokenizer as unknown as EvaluationParts['tokenizer'],
      texts: { whole: () => '' } as unknown as EvaluationParts['texts'],
      problems: 8,
      generate: async (all) => all.map(() => [{ ids: [0], logprobs: new Float32Array(1), truncated: true }]) as never,
    });
    const evaluation = buildProblems({ kind: 'held-out', task: 'sum', difficulty: 4, n: 20 });
    expect(asked).toHaveLength(8);
    expect(asked).toEqual(prompts(evaluation).slice(0, 8));
  });

  it('of stored evaluations and distillations are those that their answers belong to', () => {
    const stored = { task: 'sum', difficulty: 4, n: 3, seed: 9 };
    const draw = (key: number) => [0, 1, 2].map((i) => task.generate(rng(key, 9, i), 4).prompt);
    expect(prompts(buildProblems({ ...stored, kind: 'task' }))).toEqual(draw(0xe7a1));
    expect(prompts(buildProblems({ ...stored, kind: 'lessons', notation: 'free' }))).toEqual(draw(0xd157));
  });
});
