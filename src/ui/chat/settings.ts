/** @file The sampling settings of the chat: their fields, bounds and explanations, and what a form's text means. */
import type { GenerateRequest } from '../../runs/policy';

export type SamplingSettings = Omit<GenerateRequest, 'messages' | 'prefix' | 'top_logprobs'>;

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

export const settingFields: readonly SettingField[] = [
  {
    name: 'temperature',
    label: 'Temperature',
    help: '0 always takes the likeliest token; 1 samples as the model was trained.',
    min: 0,
    max: 5,
    step: 0.1,
    integer: false,
  },
  {
    name: 'top_k',
    label: 'Top-k',
    help: 'Only the k likeliest tokens may be drawn; 0 = all.',
    min: 0,
    max: 1_000_000,
    step: 1,
    integer: true,
  },
  {
    name: 'top_p',
    label: 'Top-p',
    help: 'Only the likeliest tokens that together have this probability; 1 = all.',
    min: 0.01,
    max: 1,
    step: 0.05,
    integer: false,
  },
  {
    name: 'max_tokens',
    label: 'Longest answer',
    help: 'Tokens before it is cut off, thinking included.',
    min: 1,
    max: 4096,
    step: 1,
    integer: true,
  },
  {
    name: 'seed',
    label: 'Seed',
    help: 'The same seed gives the same answer to the same prompt.',
    min: 0,
    max: 2 ** 31 - 1,
    step: 1,
    integer: true,
  },
];

/** What the embedded model is trained with. */
export const defaultSettings: SamplingSettings = { temperature: 1, top_k: 0, top_p: 1, max_tokens: 112, seed: 0 };

/** What is wrong with a value for a field, as a sentence; null when it is fine. NaN stands for text that is no number. */
export function settingProblem(field: SettingField, value: number | null | undefined): string | null {
  if (value === null || value === undefined || !Number.isFinite(value)) return `${field.label} needs a number.`;
  if (field.integer && !Number.isInteger(value)) return `${field.label} must be a whole number.`;
  if (value < field.min || value > field.max) return `${field.label} must be between ${field.min} and ${field.max}.`;
  return null;
}

/** The first problem of each field that has one. */
export function settingProblems(settings: SamplingSettings): Partial<Record<keyof SamplingSettings, string>> {
  const problems: Partial<Record<keyof SamplingSettings, string>> = {};
  for (const field of settingFields) {
    const problem = settingProblem(field, settings[field.name]);
    if (problem) problems[field.name] = problem;
  }
  return problems;
}
