/** @file What a single setting may be, and what to say when it is something else. */
import { messageOf } from '../../base/errors';
import { t } from '../../i18n';
import { targetModules } from '../../rl/lora-config';
import { allTasks } from '../../tasks';
import { isDataset } from '../../tasks/dataset';
import { parseModelId } from '../model-id';
import type { FieldKey, FieldValue, NumberField } from './field';
import { describeField } from './table';

/** An example for messages; the page's own model. */
export const EMBEDDED_MODEL = 'tinythink-1m';

/** What is wrong with a setting's value, for the user; null when nothing is. Takes anything. */
export function checkField(key: FieldKey, value: FieldValue | undefined): string | null {
  const field = describeField(key);
  const { label } = field;
  switch (field.kind) {
    case 'number':
      return checkNumber(key, field, value);
    case 'choice': {
      if (key === 'lora_target_modules') return checkModules(value);
      const values = field.options.map((option) => option.value);
      if (values.some((each) => each === value)) return null;
      return t('config:problems.choice', { label, options: values.join(', '), value: show(value) });
    }
    case 'switch':
      return typeof value === 'boolean' ? null : t('config:problems.onOrOff', { label, value: show(value) });
    case 'name':
      if (key === 'cold_start_dataset') return checkDatasetName(value);
      return key === 'task' ? checkTask(value) : checkModelName(value);
  }
}

function checkNumber(key: FieldKey, field: NumberField, value: FieldValue | undefined): string | null {
  if (value === null && field.nullable) return null;
  if (key === 'num_generations' && typeof value === 'number' && value < 2) {
    return t('config:problems.groupTooSmall', { value: show(value) });
  }
  const fits =
    typeof value === 'number' &&
    (field.above ? value > field.min : value >= field.min) &&
    value <= field.max &&
    (!field.integer || Number.isInteger(value));
  if (fits) return null;
  const { label, min, max } = field;
  const values = { label, min, max, value: show(value) };
  if (field.integer) {
    return field.above ? t('config:problems.wholeNumberAbove', values) : t('config:problems.wholeNumberFrom', values);
  }
  return field.above ? t('config:problems.numberAbove', values) : t('config:problems.numberFrom', values);
}

/** Any of PEFT's names, which are more than the form offers. */
function checkModules(value: FieldValue | undefined): string | null {
  try {
    targetModules(String(value));
    return null;
  } catch (error) {
    return t('config:problems.modules', { reason: messageOf(error) });
  }
}

/** @param known the tasks to choose from */
export function checkTask(value: FieldValue | undefined, known = allTasks): string | null {
  if (known.some((task) => task.name === value) || (known === allTasks && isDataset(value))) return null;
  return t('config:problems.unknownTask', { value: show(value), tasks: known.map((task) => task.name).join(', ') });
}

/** A model that a run can start from; a run on a GPU server may also start from a repository on the Hub. */
export function checkModelName(value: FieldValue | undefined): string | null {
  const kind = typeof value === 'string' ? parseModelId(value)?.kind : undefined;
  if (kind && kind !== 'opened' && kind !== 'server') return null;
  return t('config:problems.modelName', { value: show(value), example: EMBEDDED_MODEL });
}

function checkDatasetName(value: FieldValue | undefined): string | null {
  if (value === null || (typeof value === 'string' && /^[A-Za-z0-9][\w.-]{0,99}$/.test(value))) return null;
  return t('config:problems.datasetName', { value: show(value) });
}

/** A value as a message quotes it. */
export function show(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
