/**
 * @file Every setting of a run once: its label, its one-line explanation, its group and the values it may have. The
 * form, the validation, the URL and the automatic names all read this table.
 */
import { parseModelId } from './model-id';
import type { RunConfig } from '../rl/config';

/** Keys as in the config; a weight in `reward_weights` is a field of its own. */
export type FieldKey =
  Exclude<keyof RunConfig, 'reward_weights'> | `reward_weights.${keyof RunConfig['reward_weights']}`;
export type FieldGroup = 'problem' | 'adapter' | 'sampling' | 'reward' | 'loss' | 'optimizer' | 'run';
export type FieldValue = number | string | boolean | null;

interface FieldBase {
  label: string;
  /** For a run's automatic name, where every character counts. */
  short: string;
  help: string;
  group: FieldGroup;
  /** May change while the run goes on. */
  live: boolean;
}
export interface NumberField extends FieldBase {
  kind: 'number';
  integer: boolean;
  /** Bounds of what is accepted, included unless `above` says otherwise. */
  min: number;
  max: number;
  /** The minimum itself is not accepted. */
  above: boolean;
  /** What an input steps by; a slider covers `usual`, which holds the settings worth trying. */
  step: number;
  usual: readonly [number, number];
  scale: 'linear' | 'log';
  /** null turns it off. */
  nullable: boolean;
}
export interface ChoiceField extends FieldBase {
  kind: 'choice';
  options: readonly { value: string; label: string }[];
}
export interface SwitchField extends FieldBase {
  kind: 'switch';
}
/** A task, a model or a data set: what there is to choose from is known elsewhere. */
export interface NameField extends FieldBase {
  kind: 'name';
}
export type Field = NumberField | ChoiceField | SwitchField | NameField;

export const fieldGroups: readonly { group: FieldGroup; label: string }[] = [
  { group: 'problem', label: 'Problem' },
  { group: 'adapter', label: 'Adapter (LoRA)' },
  { group: 'sampling', label: 'Sampling' },
  { group: 'reward', label: 'Reward' },
  { group: 'loss', label: 'Loss' },
  { group: 'optimizer', label: 'Optimizer' },
  { group: 'run', label: 'Run' },
];

type Text = readonly [label: string, short: string, help: string];
type NumberOptions = Partial<Pick<NumberField, 'above' | 'step' | 'scale' | 'nullable' | 'live'>>;
type Range = readonly [min: number, max: number];

function base(group: FieldGroup, [label, short, help]: Text, live = false): FieldBase {
  return { label, short, help, group, live };
}
function count(group: FieldGroup, text: Text, [min, max]: Range, usual: Range): NumberField {
  const rest = { integer: true, above: false, step: 1, scale: 'linear', nullable: false } as const;
  return { kind: 'number', ...base(group, text), min, max, usual, ...rest };
}
function real(
  group: FieldGroup,
  text: Text,
  [min, max]: Range,
  usual: Range,
  options: NumberOptions = {},
): NumberField {
  const rest = { integer: false, above: false, step: 0.01, scale: 'linear', nullable: false } as const;
  return { kind: 'number', ...base(group, text), min, max, usual, ...rest, ...options };
}
function choice(group: FieldGroup, text: Text, options: Record<string, string>): ChoiceField {
  const list = Object.entries(options).map(([value, label]) => ({ value, label }));
  return { kind: 'choice', ...base(group, text), options: list };
}
const toggle = (group: FieldGroup, text: Text): SwitchField => ({ kind: 'switch', ...base(group, text) });
const named = (group: FieldGroup, text: Text): NameField => ({ kind: 'name', ...base(group, text) });

const LIVE = { live: true } as const;

/** In the order in which a form shows them. */
export const fields: Readonly<Record<FieldKey, Field>> = {
  model: named('problem', ['Model', 'model', 'The model that training starts from.']),
  task: named('problem', ['Task', 'task', 'The kind of problem to solve.']),
  difficulty: count('problem', ['Difficulty', 'difficulty', 'How hard the problems are.'], [0, 1000], [1, 24]),
  cold_start_steps: count(
    'problem',
    [
      'Cold start',
      'cold start',
      'Supervised updates on worked answers before the first step; 0 starts from the model as it is.',
    ],
    [0, 10_000],
    [0, 100],
  ),
  cold_start_p_cot: real(
    'problem',
    [
      'Long chains, p_cot',
      'p_cot',
      'Share of the cold start’s examples that think in full: how often the model reasons before any reward.',
    ],
    [0, 1],
    [0, 1],
    { step: 0.05 },
  ),
  cold_start_dataset: named('problem', [
    'Data set of the cold start',
    'data',
    'What the cold start learns from: worked examples of the task, or a teacher’s answers from the Distil page.',
  ]),

  lora_r: {
    ...count(
      'adapter',
      ['Rank', 'rank', 'Directions in which each adapted matrix can change; more learn more and cost more memory.'],
      [1, 256],
      [4, 64],
    ),
    nullable: true,
  },
  lora_alpha: real(
    'adapter',
    ['Alpha', 'alpha', 'What the adapters add counts alpha / rank times; twice the rank is usual.'],
    [0, 4096],
    [1, 128],
    { above: true, step: 1 },
  ),
  lora_target_modules: choice('adapter', ['Adapted layers', 'adapts', 'Which of the model’s layers get an adapter.'], {
    'all-linear': 'All linear layers',
    'q_proj,k_proj,v_proj,o_proj': 'Attention',
    'q_proj,v_proj': 'Queries and values',
  }),
  quant: choice(
    'adapter',
    [
      'Weights of the model',
      'weights',
      'What the model itself, which doesn’t learn, is held as; fewer bits need less memory.',
    ],
    { stored: 'As stored', f16: '16 bits (f16)', q8_0: '8 bits (q8_0)', q4_0: '4 bits (q4_0)' },
  ),

  num_prompts: count(
    'sampling',
    [
      'Prompts per step',
      'prompts',
      'Different problems in each step; more make the gradient steadier and the step slower.',
    ],
    [1, 1024],
    [1, 32],
  ),
  num_generations: count(
    'sampling',
    ['Group size', 'group', 'Completions of each problem; each is judged against the mean of its own group.'],
    [2, 1024],
    [2, 32],
  ),
  max_completion_length: count(
    'sampling',
    ['Longest completion', 'max length', 'A completion that reaches this many tokens is cut off there.'],
    [1, 8192],
    [16, 256],
  ),
  temperature: real(
    'sampling',
    [
      'Temperature',
      'temperature',
      'Above 1 samples more boldly, below 1 more timidly; a group without variety teaches nothing.',
    ],
    [0, 10],
    [0.1, 2],
    { above: true, step: 0.05, live: true },
  ),
  top_k: count(
    'sampling',
    ['Top-k', 'top-k', 'Samples only among the k likeliest tokens; 0 is off.'],
    [0, 1 << 20],
    [0, 64],
  ),
  top_p: real(
    'sampling',
    ['Top-p', 'top-p', 'Samples only among the likeliest tokens that together have this probability; 1 is off.'],
    [0, 1],
    [0.5, 1],
    { above: true },
  ),

  'reward_weights.accuracy': real(
    'reward',
    ['Accuracy', 'accuracy reward', 'Reward for a well-formed completion with the right answer.'],
    [-100, 100],
    [0, 2],
    { step: 0.1, ...LIVE },
  ),
  'reward_weights.format': real(
    'reward',
    ['Format', 'format reward', 'Reward for exactly one think block and one answer block, right or wrong.'],
    [-100, 100],
    [0, 2],
    { step: 0.1, ...LIVE },
  ),
  'reward_weights.length': real(
    'reward',
    ['Length', 'length reward', 'Rewards short right answers and long wrong ones; a negative weight turns it round.'],
    [-100, 100],
    [-1, 1],
    { step: 0.1, ...LIVE },
  ),
  scale_rewards: choice(
    'reward',
    ['Scale advantages', 'scale', 'What the distance from the group mean is divided by.'],
    { group: "The group's standard deviation", batch: "The batch's standard deviation", none: 'Nothing' },
  ),
  mask_truncated_completions: toggle('reward', [
    'Leave out truncated',
    'mask truncated',
    'Completions that were cut off count for the group mean, but not for the loss.',
  ]),

  loss_type: choice(
    'loss',
    ['Loss', 'loss', 'How the per-token losses are clipped and averaged; this decides what length is worth.'],
    {
      grpo: 'GRPO: mean of each completion, then of all',
      bnpo: 'BNPO: mean of all tokens of the micro-batch',
      dr_grpo: 'Dr. GRPO: sum over a constant, no length bias',
      dapo: 'DAPO: mean of all tokens of the batch',
      cispo: 'CISPO: clipped ratio as a constant weight',
      sapo: 'SAPO: soft gate in place of the clip',
    },
  ),
  importance_sampling_level: choice(
    'loss',
    ['Ratio', 'ratio', 'Compare new and old policy token by token, or for the whole completion (GSPO).'],
    { token: 'Per token', sequence: 'Per sequence (GSPO)' },
  ),
  num_iterations: count(
    'loss',
    ['Updates per batch', 'iterations', 'Above 1 the same samples are used again, and ratio and clip begin to act.'],
    [1, 64],
    [1, 8],
  ),
  epsilon: real(
    'loss',
    ['Clip below', 'ε', 'How far below 1 the ratio may fall before its gradient is cut off.'],
    [0, 1],
    [0.05, 0.5],
    { above: true },
  ),
  epsilon_high: real(
    'loss',
    [
      'Clip above',
      'ε high',
      'How far above 1 the ratio may rise; for CISPO the cap of the ratio itself, where 5 is usual.',
    ],
    [0, 1000],
    [0.05, 10],
    { above: true, scale: 'log' },
  ),
  delta: real(
    'loss',
    ['Two-sided clip', 'delta', 'Caps the ratio of bad tokens too, above 1 + ε; empty is off.'],
    [0, 1000],
    [1, 10],
    { above: true, nullable: true, step: 0.1 },
  ),
  beta: real(
    'loss',
    ['KL weight', 'β', 'Pulls the model back to the one it started from; 0 does without a reference model.'],
    [0, 100],
    [0, 0.2],
    { step: 0.001 },
  ),
  use_bias_correction_kl: toggle('loss', [
    'Unbiased KL',
    'unbiased KL',
    'Weighs the KL estimate by the ratio, so that its gradient is unbiased.',
  ]),
  sapo_temperature_pos: real(
    'loss',
    ['SAPO τ, good', 'τ+', 'How sharply SAPO gates tokens with a positive advantage.'],
    [0, 100],
    [0.1, 5],
    { above: true, step: 0.05 },
  ),
  sapo_temperature_neg: real(
    'loss',
    ['SAPO τ, bad', 'τ−', 'How sharply SAPO gates tokens with a negative advantage.'],
    [0, 100],
    [0.1, 5],
    { above: true, step: 0.05 },
  ),

  learning_rate: real(
    'optimizer',
    ['Learning rate', 'lr', 'How far each update moves the weights; too high and the model collapses.'],
    [0, 1],
    [1e-6, 1e-2],
    { above: true, step: 1e-6, scale: 'log', live: true },
  ),
  warmup_steps: count(
    'optimizer',
    ['Warm-up', 'warm-up', 'Updates over which the learning rate rises from 0.'],
    [0, 1_000_000],
    [0, 50],
  ),
  lr_scheduler_type: choice('optimizer', ['Schedule', 'schedule', 'What the learning rate does after the warm-up.'], {
    constant: 'Constant',
    linear: 'Linear to 0',
    cosine: 'Cosine to 0',
  }),
  weight_decay: real(
    'optimizer',
    ['Weight decay', 'decay', 'Shrinks the weights a little at each update.'],
    [0, 1],
    [0, 0.1],
  ),
  max_grad_norm: real(
    'optimizer',
    ['Gradient clip', 'clip', 'A gradient longer than this is shortened to it; 0 is off.'],
    [0, 1000],
    [0, 5],
    { step: 0.1 },
  ),
  adam_beta1: real(
    'optimizer',
    ['Adam β₁', 'β₁', 'How long the mean of the gradient remembers.'],
    [0, 0.99999],
    [0.8, 0.99],
  ),
  adam_beta2: real(
    'optimizer',
    ['Adam β₂', 'β₂', 'How long the mean of the squared gradient remembers.'],
    [0, 0.999999],
    [0.9, 0.999],
    { step: 0.001 },
  ),
  adam_epsilon: real(
    'optimizer',
    ['Adam ε', 'adam ε', 'Keeps the update finite where gradients vanish.'],
    [0, 1],
    [1e-10, 1e-4],
    { above: true, step: 1e-10, scale: 'log' },
  ),

  max_steps: count(
    'run',
    ['Steps', 'steps', 'The run ends after so many steps; 0 is the cold start alone.'],
    [0, 1_000_000],
    [10, 400],
  ),
  seed: count(
    'run',
    ['Seed', 'seed', 'The same seed on the same machine gives the same run.'],
    [0, 2 ** 32 - 1],
    [0, 100],
  ),
  eval_steps: count(
    'run',
    ['Evaluate every', 'eval', 'Steps between two looks at held-out problems; 0 is never.'],
    [0, 1_000_000],
    [0, 50],
  ),
  eval_problems: count(
    'run',
    ['Held-out problems', 'eval problems', 'Problems per evaluation; more make the curve steadier.'],
    [1, 4096],
    [16, 512],
  ),
  save_steps: count(
    'run',
    ['Save every', 'save', 'Steps between two checkpoints; 0 is only at the end.'],
    [0, 1_000_000],
    [0, 100],
  ),
  log_probability_change: toggle('run', [
    'Show the change',
    'show change',
    'Scores each completion again after the update, to tint its tokens; costs a little time.',
  ]),
};

export const fieldKeys = Object.keys(fields) as readonly FieldKey[];

/** The field's entry in the table. */
export function describeField(key: FieldKey): Field {
  return fields[key];
}

export function isFieldKey(text: string): text is FieldKey {
  return Object.hasOwn(fields, text);
}

/** Whether a setting means anything in a run: those of adapters do where adapters learn. */
export function appliesTo(config: RunConfig, key: FieldKey): boolean {
  return fields[key].group !== 'adapter' || config.lora_r !== null || learnsByAdapters(config.model);
}

/** Whether it is a downloaded model, of which only adapters can be trained here. */
export const learnsByAdapters = (model: string): boolean => parseModelId(model)?.kind === 'downloaded';

/** Whether a run's checkpoints hold adapters. Saved runs of the first versions know no such setting. */
export const hasAdapters = ({ lora_r }: RunConfig): boolean => typeof lora_r === 'number';

/** The value of a field. */
export function getField(config: RunConfig, key: FieldKey): FieldValue {
  const weight = weightName(key);
  return weight ? config.reward_weights[weight] : (config[key as keyof RunConfig] as FieldValue);
}

/** The config with one field changed. The value's kind must be the field's: see `checkConfig` for what is accepted. */
export function withField(config: RunConfig, key: FieldKey, value: FieldValue): RunConfig {
  const weight = weightName(key);
  if (weight) return { ...config, reward_weights: { ...config.reward_weights, [weight]: value } };
  return { ...config, [key]: value };
}

function weightName(key: FieldKey): keyof RunConfig['reward_weights'] | null {
  const [head, tail] = key.split('.');
  return head === 'reward_weights' ? (tail as keyof RunConfig['reward_weights']) : null;
}
