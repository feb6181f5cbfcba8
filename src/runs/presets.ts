/** @file Named starting points, the good and the bad ones, each with two sentences on what to watch. */
import type { RunConfig } from '../rl/config';
import { getTask } from '../tasks';
import { defaultRunConfig } from './config';

export interface Preset {
  /** Key in lists and links. */
  name: string;
  title: string;
  /** What it changes in the defaults. */
  patch: Partial<RunConfig>;
  /** Exactly two sentences. */
  watch: string;
}

export const presets: readonly Preset[] = [
  {
    name: 'sums-grow',
    title: 'Sums: reasoning grows',
    patch: {},
    watch:
      'Watch the right answers and the length of the completions rise together as the model drops its guesses for written steps. ' +
      'Nothing rewards length here: it grows because completions with all their steps are right more often than their group.',
  },
  {
    name: 'multiplication',
    title: 'Multiplication: steps pay',
    patch: { task: 'mul', difficulty: getTask('mul').difficulty.default },
    watch:
      'The model starts at 0.80 only because a fifth of its completions lack the format: accuracy reaches 0.98 as they take it on. ' +
      'Length grows from 16 to 40 tokens all the same: answers given at once get worse in the first updates, and written steps stay right.',
  },
  {
    name: 'countdown-shrinks',
    title: 'Countdown: reasoning does not pay',
    patch: { task: 'countdown', difficulty: getTask('countdown').difficulty.default },
    watch:
      'Guessing at once is as good as searching here: three measured runs went from 18 tokens to 12, 12 and 14 (12, 17 and 15 before a change of rounding). ' +
      'Accuracy rises from 0.66 to 0.8, but by learning the format: of the formatted answers 0.85 were right at the start and 0.8 at the end.',
  },
  {
    name: 'collapse',
    title: 'Collapse: learning rate 1e-3',
    patch: { learning_rate: 1e-3, lr_scheduler_type: 'constant' },
    watch:
      'Three times the usual learning rate and no decay: for a dozen steps it learns faster, then accuracy falls below 0.01 within 80 steps. ' +
      'The gradient norm gives no warning; watch the share of groups with equal rewards go to 1, where nothing is left to learn from.',
  },
  {
    name: 'parity',
    title: 'Parity: chains or coin flips',
    patch: { task: 'parity', difficulty: getTask('parity').difficulty.default },
    watch:
      'Without a chain of running parities an answer is a coin flip, with one it is right, so a group shows plainly what earns its reward. ' +
      'Watch chains go from a sixth of the completions to nearly all in 20 steps, and set the cold start’s p_cot to begin from another share.',
  },
  {
    name: 'dr-grpo',
    title: 'Dr. GRPO: no length bias',
    patch: { loss_type: 'dr_grpo', scale_rewards: 'none' },
    watch:
      "The sum over a constant replaces the mean over each completion's own length, so a long wrong answer is punished for every token. " +
      'Compare the length of its wrong completions with those of a run whose loss is GRPO.',
  },
  {
    name: 'gspo',
    title: 'GSPO: ratios of whole completions',
    patch: { importance_sampling_level: 'sequence', num_iterations: 2, epsilon: 3e-4, epsilon_high: 4e-4 },
    watch:
      'Each batch is used for two updates, so in the second one the policy has moved and the clip ratio leaves 0. ' +
      'One ratio stands for a whole completion, and a very small ε clips a good part of them.',
  },
  {
    name: 'kl',
    title: 'KL: on a leash',
    patch: { beta: 0.04 },
    watch:
      'A frozen copy of the start model pulls back whatever drifts away from it, as in the paper that introduced GRPO. ' +
      'Watch the KL level off while accuracy rises more slowly than without the leash.',
  },
  {
    name: 'small',
    title: 'Small batch: any machine',
    patch: { difficulty: 3, num_prompts: 4, num_generations: 8, max_completion_length: 48, eval_problems: 32 },
    watch:
      'Four short problems a step are few enough for a processor without a GPU, and the price is noise in every curve. ' +
      'Groups with equal rewards are common at this size, and such a step hardly moves the model.',
  },
];

/** The config that a preset stands for. */
export function presetConfig(preset: Preset): RunConfig {
  return { ...defaultRunConfig, ...preset.patch };
}

export function getPreset(name: string): Preset | undefined {
  return presets.find((preset) => preset.name === name);
}
