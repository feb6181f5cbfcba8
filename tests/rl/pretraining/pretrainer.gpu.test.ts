/** @file Pretraining on the GPU: it learns, and it continues from a checkpoint bit for bit. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDecoderConfig } from '../../../src/formats/hf/hf-config';
import { writeSafetensors } from '../../../src/formats/hf/safetensors';
import type { Gpu } from '../../../src/gpu/gpu';
import { Pretrainer } from '../../../src/rl/pretraining/pretrainer';
import { parseRecipe, type Recipe } from '../../../src/rl/pretraining/recipe';
import { openTestGpu } from '../../support/gpu';

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, object>;
const base = json('recipes/tinythink-1m.json');
const model = {
  ...base.model,
  num_hidden_layers: 1,
  hidden_size: 32,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 16,
  intermediate_size: 64,
};
const recipe: Recipe = parseRecipe({ ...base, model, steps: 12, batch_size: 8, warmup_steps: 2, learning_rate: 0.01 });
const config = parseDecoderConfig({ ...json('public/models/tinythink-1m/config.json'), ...model });

let gpu: Gpu;
beforeAll(async () => void (gpu = await openTestGpu()));
afterAll(() => gpu?.destroy());

const create = () => Pretrainer.create(gpu, config, recipe, 2048);
/** Trains up to a step and gives the loss of each. */
async function train(trainer: Pretrainer, until: number): Promise<number[]> {
  const losses: number[] = [];
  while (trainer.completed < until) {
    const progress = await (await trainer.next())();
    expect(progress.step).toBe(trainer.completed);
    expect(progress.tokens).toBeGreaterThan(0);
    expect(progress.grad_norm).toBeGreaterThan(0);
    losses.push(progress.loss);
  }
  return losses;
}

describe('Pretrainer', () => {
  it('starts at the loss of a guess, and learns', async () => {
    const losses = await train(await create(), recipe.steps);
    // In nats a token: all 64 tokens are equally likely to an untrained model.
    expect(losses[0]).toBeGreaterThan(0.9 * Math.log(recipe.model.vocab_size));
    expect(losses[0]).toBeLessThan(1.1 * Math.log(recipe.model.vocab_size));
    const end = losses.slice(-3).reduce((a, b) => a + b) / 3;
    expect(end).toBeLessThan(losses[0]! - 0.5);
  });

  it('continues from a checkpoint as if it had not been interrupted, bit for bit', async () => {
    const whole = await create();
    const before = await train(whole, 3);
    const checkpoint = await whole.checkpoint();
    const after = await train(whole, 6);

    const resumed = await create();
    resumed.restore(checkpoint);
    expect(resumed.completed).toBe(3);
    expect(await train(resumed, 6)).toEqual(after);
    expect(Buffer.compare(await resumed.checkpoint(), await whole.checkpoint())).toBe(0);
    expect(before).not.toEqual(after);
  });

  it('refuses a file that is not a checkpoint of pretraining', async () => {
    const trainer = await create();
    const weights = writeSafetensors(await trainer.parameters(), 'F32');
    expect(() => trainer.restore(weights)).toThrow('not a pretraining checkpoint');
    expect(trainer.completed).toBe(0);
  });
});
