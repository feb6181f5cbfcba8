/** @file Named starting points, good and bad ones. Their titles and what to watch are in the catalogue. */
import { t } from '../i18n';
import type { RunConfig } from '../rl/config';
import { getTask } from '../tasks';
import { defaultRunConfig } from './config';

export interface Preset {
  /** Key in lists and links. */
  name: string;
  title: string;
  /** What it changes in the defaults. */
  patch: Partial<RunConfig>;
  /** Exactly two sentences on what to watch. */
  watch: string;
}

/** A task at its own default difficulty. */
const taskPatch = (task: string): Partial<RunConfig> => ({ task, difficulty: getTask(task).difficulty.default });

const patches = {
  'sums-grow': {},
  multiplication: taskPatch('mul'),
  'countdown-shrinks': taskPatch('countdown'),
  collapse: { learning_rate: 1e-3, lr_scheduler_type: 'constant' },
  parity: taskPatch('parity'),
  'dr-grpo': { loss_type: 'dr_grpo', scale_rewards: 'none' },
  gspo: { importance_sampling_level: 'sequence', num_iterations: 2, epsilon: 3e-4, epsilon_high: 4e-4 },
  kl: { beta: 0.04 },
  small: { difficulty: 3, num_prompts: 4, num_generations: 8, max_completion_length: 48, eval_problems: 32 },
} satisfies Record<string, Partial<RunConfig>>;

export const presets: readonly Preset[] = (Object.keys(patches) as (keyof typeof patches)[]).map((name) => ({
  name,
  title: t(`config:presets.${name}.title`),
  patch: patches[name],
  watch: t(`config:presets.${name}.watch`),
}));

/** The config that a preset stands for. */
export function presetConfig(preset: Preset): RunConfig {
  return { ...defaultRunConfig, ...preset.patch };
}

export function getPreset(name: string): Preset | undefined {
  return presets.find((preset) => preset.name === name);
}
