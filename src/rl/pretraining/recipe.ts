/** @file A pretraining recipe: model, mixture and schedule in one JSON file that anyone can rerun. Checked when read. */
import * as v from 'valibot';
import { VOCABULARY_SIZE } from '../../tasks/vocabulary';
import type { Mixture } from './corpus';
import { validateMixture } from './corpus';
import { MAX_PROMPT_LENGTH } from '../prompt';

const positive = v.pipe(v.number(), v.finite(), v.gtValue(0));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const weight = v.pipe(v.number(), v.finite(), v.minValue(0));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const natural = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const model = v.strictObject({
  num_hidden_layers: count,
  hidden_size: count,
  num_attention_heads: count,
  num_key_value_heads: count,
  head_dim: v.pipe(count, v.multipleOf(2)),
  intermediate_size: count,
  /** At least the vocabulary of src/tasks/vocabulary.ts; the rest of the rows are spare. */
  vocab_size: v.pipe(count, v.minValue(VOCABULARY_SIZE)),
  max_position_embeddings: count,
  rope_theta: positive,
  rms_norm_eps: positive,
  tie_word_embeddings: v.boolean(),
  /** Standard deviation of the initial weights; output projections get it divided by √(2 · layers), as in GPT-2. */
  initializer_range: positive,
});

const styles = v.strictObject({
  bare: v.optional(weight),
  direct: v.optional(weight),
  partial: v.optional(weight),
  full: v.optional(weight),
  check: v.optional(weight),
});

const mixture = v.strictObject({
  max_completion_length: count,
  tasks: v.pipe(
    v.array(
      v.strictObject({
        task: v.string(),
        weight,
        difficulty: v.strictObject({ from: v.number(), to: v.number() }),
        styles,
        p_cot: v.optional(share),
      }),
    ),
    v.minLength(1),
  ),
});

const schema = v.pipe(
  v.strictObject({
    name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9.-]*$/, 'Expected a folder name of a-z, 0-9, - and .')),
    seed: natural,
    steps: count,
    /** Sequences per step, one sample each. */
    batch_size: count,
    learning_rate: positive,
    warmup_steps: natural,
    /** The share of the peak learning rate that is left at the end. */
    final_share: share,
    adam_beta1: v.pipe(v.number(), v.minValue(0), v.ltValue(1)),
    adam_beta2: v.pipe(v.number(), v.minValue(0), v.ltValue(1)),
    adam_epsilon: positive,
    weight_decay: weight,
    max_grad_norm: weight,
    model,
    mixture,
  }),
  v.check(
    ({ model: m }) => m.num_attention_heads % m.num_key_value_heads === 0,
    'model.num_attention_heads is not a multiple of model.num_key_value_heads',
  ),
  v.check(({ warmup_steps, steps }) => warmup_steps <= steps, 'warmup_steps is larger than steps'),
  v.check(
    (recipe) => longestSequence(recipe.mixture) <= recipe.model.max_position_embeddings,
    'model.max_position_embeddings is smaller than the longest prompt and completion together',
  ),
);

export type Recipe = v.InferOutput<typeof schema>;

/** Positions that the longest sample of a mixture can take. */
export function longestSequence(mixture: Pick<Mixture, 'max_completion_length'>): number {
  return MAX_PROMPT_LENGTH + mixture.max_completion_length;
}

/**
 * Reads a recipe (parsed JSON, untrusted).
 * @throws Error with one line per mistake, each naming the key it is about.
 */
export function parseRecipe(json: unknown): Recipe {
  const result = v.safeParse(schema, json);
  if (!result.success) {
    const lines = result.issues.map((issue) => {
      const key = v.getDotPath(issue);
      return key === null ? issue.message : `${key}: ${issue.message}`;
    });
    throw new Error(`This is not a pretraining recipe:\n${lines.map((line) => `- ${line}`).join('\n')}`);
  }
  const recipe = result.output;
  validateMixture(recipe.mixture);
  return recipe;
}
