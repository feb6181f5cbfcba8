import { describe, expect, it } from 'vitest';
import { learningRate, pretrainLearningRate } from '../../src/rl/schedule';

// transformers 5.23.0: get_scheduler(name, AdamW(lr=1), 3, 11), get_last_lr() before each of 13 steps.
const TRANSFORMERS = {
  constant: [0, 0.3333333333, 0.6666666667, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  linear: [0, 0.3333333333, 0.6666666667, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0, 0],
  cosine: [
    0, 0.3333333333, 0.6666666667, 1, 0.9619397663, 0.8535533906, 0.6913417162, 0.5, 0.3086582838, 0.1464466094,
    0.0380602337, 0, 0.0380602337,
  ],
};

describe('learningRate', () => {
  it.each(['constant', 'linear', 'cosine'] as const)('%s is what Transformers gives', (lr_scheduler_type) => {
    const config = { learning_rate: 2, warmup_steps: 3, max_steps: 11, lr_scheduler_type };
    TRANSFORMERS[lr_scheduler_type].forEach((factor, update) => {
      expect(learningRate(config, update), `update ${update}`).toBeCloseTo(2 * factor, 9);
    });
  });

  it('starts at the full rate without warm-up', () => {
    const config = { learning_rate: 3e-4, warmup_steps: 0, max_steps: 160 };
    for (const lr_scheduler_type of ['constant', 'linear', 'cosine'] as const) {
      expect(learningRate({ ...config, lr_scheduler_type }, 0)).toBe(3e-4);
    }
  });
});

describe('pretrainLearningRate', () => {
  it('warms up, then falls to the final share', () => {
    const schedule = { learning_rate: 3e-3, warmup_steps: 200, steps: 5000, final_share: 0.05 };
    const at = (step: number) => pretrainLearningRate(schedule, step) / 3e-3;
    expect(at(0)).toBe(0);
    expect(at(100)).toBeCloseTo(0.5 * (1 - 0.95 * 0.02), 12);
    expect(at(2500)).toBeCloseTo(0.525, 12);
    expect(at(5000)).toBeCloseTo(0.05, 12);
  });
});
