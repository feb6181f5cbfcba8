/** @file Brings configs that earlier versions wrote into today's form: saved runs, recordings, links to sidecars. */
import type { RunConfig } from '../rl/config';
import { trainsAdapter } from '../rl/lora-config';

/** Settings that came after the first recordings, with what those did. */
const LATER_SETTINGS = {
  cold_start_steps: 0,
  cold_start_p_cot: 0.2,
  cold_start_dataset: null,
  lora_r: null,
  lora_alpha: 32,
  lora_target_modules: 'all-linear',
  quant: 'stored',
} satisfies Partial<RunConfig>;

/** Fills in what is missing. Anything that is not a config comes back as it is, to be refused by `checkConfig`. */
export function upgradeConfig(value: unknown): unknown {
  return isRecord(value) ? { ...LATER_SETTINGS, ...upgradeRewards(value) } : value;
}

/** Runs of earlier versions don't say whether their model reads language; only downloaded ones were trained by adapters. */
export const upgradeModel = <Model extends { reads_language?: boolean | undefined }>(
  model: Model,
  config: RunConfig,
): Model & { reads_language: boolean } => ({
  ...model,
  reads_language: model.reads_language ?? trainsAdapter(config),
});

/** Rewards used to be one record, `{ accuracy: 1, format: 0.2, length: 0 }`; now they are TRL's two lists. */
export function upgradeRewards(value: Record<string, unknown>): Record<string, unknown> {
  const { reward_weights } = value;
  if (!isRecord(reward_weights)) return value;
  return { ...value, reward_funcs: Object.keys(reward_weights), reward_weights: Object.values(reward_weights) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
