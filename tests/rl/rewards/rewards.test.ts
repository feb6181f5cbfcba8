import { describe, expect, it } from 'vitest';
import { defaultRewards, rewards, scoreCompletion, weightedSum } from '../../../src/rl/rewards';
import { getTask } from '../../../src/tasks';

const problem = {
  prompt: '1+2+4=',
  answer: '7',
  steps: [
    { expression: '1+2', value: '3' },
    { expression: '3+4', value: '7' },
  ],
};
const weights = defaultRewards;
const completion = (text: string, changes: { length?: number; truncated?: boolean } = {}) => ({
  task: getTask('sum'),
  problem,
  text,
  length: 28,
  truncated: false,
  max_completion_length: 112,
  ...changes,
});
const RIGHT = '<think></think><answer>7</answer>';
const WRONG = '<think></think><answer>8</answer>';

describe('scoreCompletion', () => {
  it.each([
    ['right', RIGHT, 1, 1, 1.2],
    ['wrong', WRONG, 0, 1, 0.2],
    ['right without format', '7', 0, 0, 0],
    ['right, then more', `${RIGHT}7`, 0, 0, 0],
  ])('%s', (_, text, accuracy, format, reward) => {
    const score = scoreCompletion(completion(text), weights);
    expect(score.rewards).toMatchObject({ accuracy, format });
    expect(score.reward).toBeCloseTo(reward, 12);
  });

  it('gives a truncated completion neither format nor accuracy, whatever its text', () => {
    const score = scoreCompletion(completion(RIGHT, { truncated: true, length: 112 }), weights);
    expect(score).toMatchObject({ rewards: { accuracy: 0, format: 0, length: -1 }, reward: 0 });
    expect(score.parsed).toMatchObject({ formatted: false, style: 'unformatted' });
  });

  it('measures a function of weight 0 and does not count it', () => {
    const { rewards, reward } = scoreCompletion(completion(RIGHT), weights);
    expect(rewards.length).toBeGreaterThan(0);
    expect(reward).toBeCloseTo(1.2, 12);
    expect(scoreCompletion(completion(RIGHT), { ...weights, reward_weights: [1, 0.2, 1] }).reward).toBeCloseTo(
      1.2 + rewards.length!,
      12,
    );
  });

  it('leaves out a function without a value, and has no reward without any', () => {
    const none = () => null;
    const some = scoreCompletion(
      completion(RIGHT),
      weights,
      rewards.map((reward) => (reward.name === 'format' ? { ...reward, score: none } : reward)),
    );
    expect(some.rewards.format).toBe(null);
    expect(some.reward).toBe(1);
    const nothing = rewards.map(({ name }) => ({ name, score: name === 'accuracy' ? () => NaN : none }));
    expect(scoreCompletion(completion(RIGHT), weights, nothing)).toMatchObject({
      rewards: { accuracy: null },
      reward: null,
    });
  });

  it('runs only the functions of the run, and knows right from wrong without the accuracy reward', () => {
    const score = scoreCompletion(completion(RIGHT), { reward_funcs: ['format'], reward_weights: [0.5] });
    expect(score).toMatchObject({ correct: true, rewards: { format: 1 }, reward: 0.5 });
    const unknown = { reward_funcs: ['charm'], reward_weights: [1] };
    expect(() => scoreCompletion(completion(RIGHT), unknown)).toThrow("no reward function 'charm'");
  });

  it('weights what is negative, too', () => {
    const values = { accuracy: 1, format: 1, length: -0.5 };
    expect(weightedSum(values, { reward_funcs: Object.keys(values), reward_weights: [1, 0, -2] })).toBe(2);
  });
});

describe('length', () => {
  const at = (text: string, length: number) => scoreCompletion(completion(text, { length }), weights).rewards.length!;
  const lengths = [0, 1, 20, 56, 90, 111, 112];

  it('prefers brevity when right and thought when wrong, within -1 and 1', () => {
    expect([at(RIGHT, 0), at(WRONG, 0)]).toEqual([1, -1]);
    expect(at(RIGHT, 56)).toBeCloseTo(0.5, 12);
    expect(at(RIGHT, 112)).toBeCloseTo(0, 12);
    for (let i = 1; i < lengths.length; i++) {
      expect(at(RIGHT, lengths[i]!)).toBeLessThan(at(RIGHT, lengths[i - 1]!));
      expect(at(WRONG, lengths[i]!)).toBeGreaterThan(at(WRONG, lengths[i - 1]!));
    }
  });

  it('is never better wrong than right', () => {
    for (const length of lengths) expect(at(WRONG, length)).toBeLessThanOrEqual(at(RIGHT, length));
  });
});
