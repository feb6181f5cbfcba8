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
      'The model starts out good at this, so look for groups in which every completion is right: they have advantage 0 and teach nothing. ' +
      'Length still grows, because the few mistakes left are mostly made by completions that skip the steps.',
  },
  {
    name: 'countdown-shrinks',
    title: 'Countdown: reasoning shrinks',
    patch: { task: 'countdown', difficulty: getTask('countdown').difficulty.default },
    watch:
      'Here guessing at once was as good as searching, so the completions get shorter while accuracy hardly moves. ' +
      'The same algorithm and rewards as for sums: reinforcement amplifies what works, and that is not always thinking.',
  },
  {
    name: 'collapse',
    title: 'Collapse: learning rate 1e-3',
    patch: { learning_rate: 1e-3, lr_scheduler_type: 'constant' },
    watch:
      'Three times the usual learning rate, and within 80 steps the accuracy falls to 0. ' +
      'Look at the gradient norm and the entropy first: they go wrong before the reward does.',
  },
  {
    name: 'parity',
    title: 'Parity: chains or coin flips',
    patch: { task: 'parity', difficulty: getTask('parity').difficulty.default },
    watch:
      'Without a chain of running parities an answer is a coin flip, so a group shows plainly which completions earn their reward. ' +
      'Watch the share of full chains: what it starts from decides how fast it can grow.',
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
