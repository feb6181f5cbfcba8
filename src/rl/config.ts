/** @file The configuration of a GRPO run. Names, meanings and defaults follow TRL 1.13.0's where it has one. */
import type { Quantization } from '../model/infer/weight-plan';
import type { LossConfig } from './grpo/losses';
import { defaultRewards } from './rewards';

export type ScaleRewards = 'group' | 'batch' | 'none';
type LrScheduler = 'constant' | 'linear' | 'cosine';

export interface GrpoConfig extends LossConfig {
  /** Prompts per step; TRL: generation_batch_size / num_generations. */
  num_prompts: number;
  /** Completions per prompt, the group size G; at least 2. */
  num_generations: number;
  temperature: number;
  /** 0 = off. */
  top_k: number;
  /** 1 = off. */
  top_p: number;
  learning_rate: number;
  warmup_steps: number;
  lr_scheduler_type: LrScheduler;
  max_steps: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  weight_decay: number;
  /** Global-norm clipping; 0 = off. */
  max_grad_norm: number;
  scale_rewards: ScaleRewards;
  /** Updates per batch of samples (μ); above 1 the ratio and its clipping act. */
  num_iterations: number;
  /** Names of reward functions: see src/rl/rewards. */
  reward_funcs: readonly string[];
  /** The weight of each of `reward_funcs` in the sum; 0 still measures the function, and reports it, but rewards nothing. */
  reward_weights: readonly number[];
  seed: number;
}

export interface RunConfig extends GrpoConfig {
  /**
   * A name under `models/`, `run:<id>@<step>` for a checkpoint of a saved run, `file:<name>` for an imported one, or
   * `store:<id>` for a downloaded one.
   */
  model: string;
  task: string;
  difficulty: number;
  /** Supervised updates on worked answers before the run's first step; 0 = none. See src/rl/sft/sft.ts. */
  cold_start_steps: number;
  /** Share of full chains among the traces of the task, which are the worked answers without a data set. */
  cold_start_p_cot: number;
  /** The data set whose worked answers these are, by name (src/storage/dataset-storage.ts); null = traces of the task. */
  cold_start_dataset: string | null;
  /** Rank of the adapters that learn in place of the weights (LoRA); null = all weights learn. */
  lora_r: number | null;
  /** What the adapters add counts lora_alpha / lora_r times. */
  lora_alpha: number;
  /** Which modules have one: `all-linear`, or PEFT's names for them with commas between: `q_proj,v_proj`. */
  lora_target_modules: string;
  /** With adapters: what weights that are stored as floats are held as. */
  quant: Quantization;
  /** Evaluate on held-out problems every so many steps; 0 = never. */
  eval_steps: number;
  /** Held-out problems per evaluation. */
  eval_problems: number;
  /** Checkpoint every so many steps; 0 = only at the end. */
  save_steps: number;
  /** Re-score each sampled token after the update, so that its change in log-probability can be shown. */
  log_probability_change: boolean;
}

/** What may change while a run goes on; the two lists of rewards only together. */
export type LiveConfig = Partial<Pick<GrpoConfig, 'learning_rate' | 'reward_funcs' | 'reward_weights' | 'temperature'>>;

/** The known-good recipe for the embedded model (docs/results): sums from about 0.4 to above 0.95 in 160 steps. */
export const defaultGrpoConfig: GrpoConfig = {
  num_prompts: 16,
  num_generations: 16,
  max_completion_length: 112,
  temperature: 1,
  top_k: 0,
  top_p: 1,
  learning_rate: 3e-4,
  warmup_steps: 10,
  lr_scheduler_type: 'linear',
  max_steps: 160,
  adam_beta1: 0.9,
  adam_beta2: 0.95,
  adam_epsilon: 1e-8,
  weight_decay: 0,
  max_grad_norm: 1,
  loss_type: 'dapo',
  scale_rewards: 'group',
  importance_sampling_level: 'token',
  num_iterations: 1,
  epsilon: 0.2,
  epsilon_high: 0.2,
  delta: null,
  beta: 0,
  use_bias_correction_kl: true,
  mask_truncated_completions: false,
  sapo_temperature_pos: 1,
  sapo_temperature_neg: 1.05,
  ...defaultRewards,
  seed: 0,
};
