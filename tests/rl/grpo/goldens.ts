/** @file Reads the goldens that TRL 1.13.0 itself computed; tests/goldens/README.md documents their layout. */
import { readFileSync } from 'node:fs';
import type { LossConfig } from '../../../src/rl/grpo/losses';

interface LossGoldens {
  num_generations: number;
  max_completion_length: number;
  eos_token_id: number;
  batches: Record<
    string,
    {
      completion_ids: number[][];
      logps: number[][];
      old_logps: number[][];
      ref_logps: number[][];
      entropies: number[][];
    }
  >;
  cases: Record<
    string,
    {
      options: Omit<LossConfig, 'max_completion_length'>;
      batch: string;
      on_policy: boolean;
      advantages: number[];
      loss: number;
      grad: number[][];
      metrics: Record<string, number | null>;
    }
  >;
}

interface AdvantageGoldens {
  num_generations: number;
  completion_ids: number[][];
  cases: Record<
    string,
    {
      rewards: Record<string, (number | null)[]>;
      reward_weights: number[];
      scale_rewards: 'group' | 'batch' | 'none';
      advantages: number[];
      metrics: Record<string, number | null>;
    }
  >;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../goldens/${name}`, import.meta.url), 'utf8'));

export const lossGoldens = read('grpo_loss.json') as LossGoldens;
export const advantageGoldens = read('grpo_advantages.json') as AdvantageGoldens;
export const EOS = lossGoldens.eos_token_id;
