/** @file Settings as text, in links and on the command line. */
import { rewards } from '../../rl/rewards';
import { checkField } from './check';
import type { FieldKey, FieldValue, PlainKey } from './field';
import { describeField, isFieldKey } from './table';

/** Short names of settings as command-line options. */
export const fieldAliases: Readonly<Record<string, FieldKey>> = {
  ...({
    steps: 'max_steps',
    prompts: 'num_prompts',
    group: 'num_generations',
    'max-new': 'max_completion_length',
    lr: 'learning_rate',
    'lora-target': 'lora_target_modules',
  } satisfies Record<string, PlainKey>),
  ...Object.fromEntries(rewards.map(({ name }) => [`reward-${name}`, `reward_weights.${name}` as const])),
};

/** The setting that an option sets, without its dashes: an alias, or the key with `-` for `_`; null for others. */
export function fieldOfOption(option: string): FieldKey | null {
  if (Object.hasOwn(fieldAliases, option)) return fieldAliases[option]!;
  const key = option.replaceAll('-', '_');
  return isFieldKey(key) ? key : null;
}

/**
 * A setting from its text: numbers in digits, switches as `on` or `off` (`true` or `false`), `off` or `none` for no value.
 * @throws RangeError with a message for the user when the setting can't have the value
 */
export function parseField(key: FieldKey, text: string): FieldValue {
  const value = readField(key, text);
  const problem = checkField(key, value);
  if (problem !== null) throw new RangeError(problem);
  return value;
}

/** What a text says, right or wrong. */
export function readField(key: FieldKey, text: string): FieldValue {
  const field = describeField(key);
  const isOff = text === 'off' || text === 'none';
  if (field.kind === 'switch') {
    if (text === 'on' || text === 'true') return true;
    return text === 'off' || text === 'false' ? false : text;
  }
  if (field.kind !== 'number') return key === 'cold_start_dataset' && isOff ? null : text;
  if (field.nullable && isOff) return null;
  return text.trim() === '' ? NaN : Number(text);
}

/** The text of a value, which `parseField` reads back. */
export function formatField(value: FieldValue): string {
  if (value === null) return 'off';
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}
