import { describe, expect, it } from 'vitest';
import { rewardFunctions, scoreCompletion, weightedSum } from '../../../src/rl/rewards/index';
import { getTask } from '../../../src/tasks';

const problem = {
  prompt: '1+2+4=',
  answer: '7',
  steps: [
    { expression: '1+2', value: '3' },
    { expression: '3+4', value: '7' },
  ],
};
const weights = { accuracy: 1, format: 0.2, length: 0 };
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
    expect(scoreCompletion(completion(RIGHT), { ...weights, length: 1 }).reward).toBeCloseTo(1.2 + rewards.length!, 12);
  });

  it('leaves out a function without a value, and has no reward without any', () => {
    const none = () => null;
    const some = scoreCompletion(completion(RIGHT), weights, { ...rewardFunctions, format: none });
    expect(some.rewards.format).toBe(null);
    expect(some.reward).toBe(1);
    const nan = { accuracy: () => NaN, format: none, length: none };
    expect(scoreCompletion(completion(RIGHT), weights, nan)).toMatchObject({
      rewards: { accuracy: null },
      reward: null,
    });
  });

  it('weights what is negative, too', () => {
    expect(weightedSum({ accuracy: 1, format: 1, length: -0.5 }, { accuracy: 1, format: 0, length: -2 })).toBe(2);
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
