import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../../src/rl/pretraining/recipe';

const file = readFileSync(new URL('../../../recipes/tinythink-1m.json', import.meta.url), 'utf8');
/** The committed recipe with one key (a dotted path) changed; undefined removes it. */
function changed(path: string, value: unknown): unknown {
  const recipe = JSON.parse(file);
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce((at, key) => at[key], recipe);
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return recipe;
}

describe('recipes/tinythink-1m.json', () => {
  const recipe = parseRecipe(JSON.parse(file));

  it('makes a model of about 0.9M parameters', () => {
    const { hidden_size: h, intermediate_size: i, num_hidden_layers: layers, vocab_size: vocab } = recipe.model;
    expect(vocab * h + layers * (4 * h * h + 3 * h * i + 2 * h) + h).toBe(861_312);
  });
});

describe('parseRecipe', () => {
  it.each([
    ['steps', 0, 'steps: '],
    ['steps', 2.5, 'steps: '],
    ['steps', undefined, 'steps: '],
    ['learning_rate', null, 'learning_rate: '],
    ['learning_rate', -1, 'learning_rate: '],
    ['adam_beta2', 1, 'adam_beta2: '],
    ['name', '../../etc', 'name: Expected a folder name'],
    ['stepz', 5, 'stepz: '],
    ['model.head_dim', 31, 'model.head_dim: '],
    ['model.vocab_size', 10, 'model.vocab_size: '],
    ['model.num_key_value_heads', 3, 'not a multiple of model.num_key_value_heads'],
    ['model.max_position_embeddings', 128, 'model.max_position_embeddings is smaller'],
    ['warmup_steps', 8001, 'warmup_steps is larger than steps'],
    ['mixture.tasks', [], 'mixture.tasks: '],
    ['mixture.tasks.0.task', 'chess', "There is no task 'chess'"],
    ['mixture.tasks.1.difficulty.to', 12, 'Mixture entry 1 (mul): difficulty 9 to 12'],
    ['mixture.tasks.2.styles.check', 0.1, "Mixture entry 2 (countdown): style 'check'"],
    ['mixture.tasks.3.p_cot', 2, 'mixture.tasks.3.p_cot: '],
  ])('names what is wrong with %s = %j', (path, value, message) => {
    expect(() => parseRecipe(changed(path, value))).toThrow(message);
  });

  it('names every mistake at once', () => {
    expect(() => parseRecipe({ ...(changed('steps', -1) as object), seed: 'x' })).toThrow(/- seed: .*\n- steps: /s);
  });

  it.each([null, 7, 'recipe', [], {}])('refuses %j', (json) => {
    expect(() => parseRecipe(json)).toThrow('This is not a pretraining recipe');
  });
});
