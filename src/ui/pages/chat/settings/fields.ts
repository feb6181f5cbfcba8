/** @file The fields of the sampling settings: labels, explanations and bounds. */
import type { SamplingSettings } from '../../../../storage/conversation';
import { t } from '../../../../i18n';

export interface SettingField {
  name: keyof SamplingSettings;
  label: string;
  /** One line, shown under the field. */
  help: string;
  min: number;
  max: number;
  step: number;
  integer: boolean;
}

type Bounds = Pick<SettingField, 'min' | 'max' | 'step'> & { integer?: boolean };

const field = (name: keyof SamplingSettings, { integer = false, ...bounds }: Bounds): SettingField => ({
  name,
  label: t(`chat:settings.fields.${name}`),
  help: t(`chat:settings.fields.${name}Help`),
  integer,
  ...bounds,
});

export const settingFields: readonly SettingField[] = [
  field('temperature', { min: 0, max: 5, step: 0.1 }),
  field('top_p', { min: 0.01, max: 1, step: 0.05 }),
  field('top_k', { min: 0, max: 1_000_000, step: 1, integer: true }),
  field('min_p', { min: 0, max: 1, step: 0.01 }),
  field('repetition_penalty', { min: 0.5, max: 2, step: 0.05 }),
  field('max_tokens', { min: 1, max: 131_072, step: 1, integer: true }),
  field('seed', { min: 0, max: 2 ** 31 - 1, step: 1, integer: true }),
];

/** What is wrong with a value, as a sentence; null if it is valid. NaN stands for text that isn't a number. */
export function settingProblem(
  { label, integer, min, max }: SettingField,
  value: number | null | undefined,
): string | null {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return t('chat:settings.notANumber', { field: label });
  }
  if (integer && !Number.isInteger(value)) return t('chat:settings.notWhole', { field: label });
  if (value < min || value > max) return t('chat:settings.outOfRange', { field: label, min, max });
  return null;
}

/** The problem of each field that has one. */
export function settingProblems(settings: SamplingSettings): Partial<Record<keyof SamplingSettings, string>> {
  const problems: Partial<Record<keyof SamplingSettings, string>> = {};
  for (const each of settingFields) {
    const problem = settingProblem(each, settings[each.name]);
    if (problem) problems[each.name] = problem;
  }
  return problems;
}
