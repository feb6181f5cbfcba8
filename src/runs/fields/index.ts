/** @file The settings of a run: the table, their values in a config, and their form as text. */
import type { RunConfig } from '../../rl/config';
import { lossUses } from '../../rl/grpo/losses';
import { trainsAdapter } from '../../rl/lora-config';
import { weightsByName } from '../../rl/rewards';
import type { FieldKey, FieldValue, PlainKey } from './field';
import { describeField } from './table';

export { fieldGroups } from './field';
export type { ChoiceField, Field, FieldGroup, FieldKey, FieldValue, NumberField } from './field';
export { fieldAliases, fieldOfOption, formatField, parseField, readField } from './parse';
export { describeField, fieldKeys, fields, isFieldKey } from './table';

/** Whether a setting has any effect in a run: those of adapters only with adapters, those of a loss only with that loss. */
export function appliesTo(config: RunConfig, key: FieldKey): boolean {
  if (describeField(key).group === 'adapter' && key !== 'lora_r' && !trainsAdapter(config)) return false;
  return lossUses(config.loss_type, key);
}

/** The value of a setting; a reward that the run doesn't have has weight 0. */
export function getField(config: RunConfig, key: FieldKey): FieldValue {
  const reward = rewardOf(key);
  return reward === null ? config[key as PlainKey] : (weightsByName(config)[reward] ?? 0);
}

/** The config with one setting changed. The value's kind must be the field's: see `checkConfig` for what is accepted. */
export function withField(config: RunConfig, key: FieldKey, value: FieldValue): RunConfig {
  const reward = rewardOf(key);
  if (reward === null) return { ...config, [key]: value };
  const weights = { ...weightsByName(config), [reward]: value as number };
  return { ...config, reward_funcs: Object.keys(weights), reward_weights: Object.values(weights) };
}

function rewardOf(key: FieldKey): string | null {
  const prefix = 'reward_weights.';
  return key.startsWith(prefix) ? key.slice(prefix.length) : null;
}
