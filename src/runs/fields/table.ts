/**
 * @file Every setting of a run once: its group and the values it may have. The form, the validation, links, the command
 * line and the automatic names all read this table; its texts are in the catalogue.
 */
import { t } from '../../i18n';
import { losses } from '../../rl/grpo/losses';
import { rewards } from '../../rl/rewards';
import { choice, integer, named, real, textOf, toggle, type Field, type FieldKey } from './field';

const rewardFields = Object.fromEntries(
  rewards.map((reward) => {
    const range = [-100, 100] as const;
    return [
      `reward_weights.${reward.name}`,
      real('reward', reward, range, reward.usualWeights, { step: 0.1, live: true }),
    ];
  }),
) as Record<`reward_weights.${string}`, Field>;

/** In the order in which a form shows them. */
export const fields: Readonly<Record<FieldKey, Field>> = {
  model: named('problem', textOf('model')),
  task: named('problem', textOf('task')),
  difficulty: integer('problem', textOf('difficulty'), [0, 1000], [1, 24]),
  cold_start_steps: integer('problem', textOf('cold_start_steps'), [0, 10_000], [0, 100]),
  cold_start_p_cot: real('problem', textOf('cold_start_p_cot'), [0, 1], [0, 1], { step: 0.05 }),
  cold_start_dataset: named('problem', textOf('cold_start_dataset')),

  lora_r: integer('adapter', textOf('lora_r'), [1, 256], [4, 64], { nullable: true }),
  lora_alpha: real('adapter', textOf('lora_alpha'), [0, 4096], [1, 128], { above: true, step: 1 }),
  lora_target_modules: choice('adapter', textOf('lora_target_modules'), {
    'all-linear': t('config:fields.lora_target_modules.options.allLinear'),
    'q_proj,k_proj,v_proj,o_proj': t('config:fields.lora_target_modules.options.attention'),
    'q_proj,v_proj': t('config:fields.lora_target_modules.options.queriesAndValues'),
  }),
  quant: choice('adapter', textOf('quant'), {
    stored: t('config:fields.quant.options.stored'),
    f16: t('config:fields.quant.options.f16'),
    q8_0: t('config:fields.quant.options.q8_0'),
    q4_0: t('config:fields.quant.options.q4_0'),
  }),

  num_prompts: integer('sampling', textOf('num_prompts'), [1, 1024], [1, 32]),
  num_generations: integer('sampling', textOf('num_generations'), [2, 1024], [2, 32]),
  max_completion_length: integer('sampling', textOf('max_completion_length'), [1, 8192], [16, 256]),
  temperature: real('sampling', textOf('temperature'), [0, 10], [0.1, 2], { above: true, step: 0.05, live: true }),
  top_k: integer('sampling', textOf('top_k'), [0, 1 << 20], [0, 64]),
  top_p: real('sampling', textOf('top_p'), [0, 1], [0.5, 1], { above: true }),

  ...rewardFields,
  scale_rewards: choice('reward', textOf('scale_rewards'), {
    group: t('config:fields.scale_rewards.options.group'),
    batch: t('config:fields.scale_rewards.options.batch'),
    none: t('config:fields.scale_rewards.options.none'),
  }),
  mask_truncated_completions: toggle('reward', textOf('mask_truncated_completions')),

  loss_type: choice(
    'loss',
    textOf('loss_type'),
    Object.fromEntries(Object.entries(losses).map(([name, { label }]) => [name, label])),
  ),
  importance_sampling_level: choice('loss', textOf('importance_sampling_level'), {
    token: t('config:fields.importance_sampling_level.options.token'),
    sequence: t('config:fields.importance_sampling_level.options.sequence'),
  }),
  num_iterations: integer('loss', textOf('num_iterations'), [1, 64], [1, 8]),
  epsilon: real('loss', textOf('epsilon'), [0, 1], [0.05, 0.5], { above: true }),
  epsilon_high: real('loss', textOf('epsilon_high'), [0, 1000], [0.05, 10], { above: true, scale: 'log' }),
  delta: real('loss', textOf('delta'), [0, 1000], [1, 10], { above: true, nullable: true, step: 0.1 }),
  beta: real('loss', textOf('beta'), [0, 100], [0, 0.2], { step: 0.001 }),
  use_bias_correction_kl: toggle('loss', textOf('use_bias_correction_kl')),
  sapo_temperature_pos: real('loss', textOf('sapo_temperature_pos'), [0, 100], [0.1, 5], { above: true, step: 0.05 }),
  sapo_temperature_neg: real('loss', textOf('sapo_temperature_neg'), [0, 100], [0.1, 5], { above: true, step: 0.05 }),

  learning_rate: real('optimizer', textOf('learning_rate'), [0, 1], [1e-6, 1e-2], {
    above: true,
    step: 1e-6,
    scale: 'log',
    live: true,
  }),
  warmup_steps: integer('optimizer', textOf('warmup_steps'), [0, 1_000_000], [0, 50]),
  lr_scheduler_type: choice('optimizer', textOf('lr_scheduler_type'), {
    constant: t('config:fields.lr_scheduler_type.options.constant'),
    linear: t('config:fields.lr_scheduler_type.options.linear'),
    cosine: t('config:fields.lr_scheduler_type.options.cosine'),
  }),
  weight_decay: real('optimizer', textOf('weight_decay'), [0, 1], [0, 0.1]),
  max_grad_norm: real('optimizer', textOf('max_grad_norm'), [0, 1000], [0, 5], { step: 0.1 }),
  adam_beta1: real('optimizer', textOf('adam_beta1'), [0, 0.99999], [0.8, 0.99]),
  adam_beta2: real('optimizer', textOf('adam_beta2'), [0, 0.999999], [0.9, 0.999], { step: 0.001 }),
  adam_epsilon: real('optimizer', textOf('adam_epsilon'), [0, 1], [1e-10, 1e-4], {
    above: true,
    step: 1e-10,
    scale: 'log',
  }),

  max_steps: integer('run', textOf('max_steps'), [0, 1_000_000], [10, 400]),
  seed: integer('run', textOf('seed'), [0, 2 ** 32 - 1], [0, 100]),
  eval_steps: integer('run', textOf('eval_steps'), [0, 1_000_000], [0, 50]),
  eval_problems: integer('run', textOf('eval_problems'), [1, 4096], [16, 512]),
  save_steps: integer('run', textOf('save_steps'), [0, 1_000_000], [0, 100]),
  log_probability_change: toggle('run', textOf('log_probability_change')),
};

export const fieldKeys = Object.keys(fields) as readonly FieldKey[];

/** The field's entry in the table. @throws RangeError for a reward that doesn't exist */
export function describeField(key: FieldKey): Field {
  if (!isFieldKey(key)) throw new RangeError(`There is no setting ${String(key)}.`);
  return fields[key]!;
}

export const isFieldKey = (text: string): text is FieldKey => Object.hasOwn(fields, text);
