/** @file The sampling settings of the chat: their fields, bounds and explanations, and what each model is best asked with. */
import type { SamplingSettings } from '../../../../storage/conversation';

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
    name: 'top_p',
    label: 'Top-p',
    help: 'Only the likeliest tokens that together have this probability; 1 = all.',
    min: 0.01,
    max: 1,
    step: 0.05,
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
    name: 'min_p',
    label: 'Min-p',
    help: 'No token less likely than this share of the likeliest; 0 = all.',
    min: 0,
    max: 1,
    step: 0.01,
    integer: false,
  },
  {
    name: 'repetition_penalty',
    label: 'Repetition penalty',
    help: 'Above 1, tokens that were there before get less likely; 1 = off.',
    min: 0.5,
    max: 2,
    step: 0.05,
    integer: false,
  },
  {
    name: 'max_tokens',
    label: 'Longest answer',
    help: 'Tokens before it is cut off, thinking included. It can be continued.',
    min: 1,
    max: 131_072,
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
export const toySettings: SamplingSettings = {
  temperature: 1,
  top_p: 1,
  top_k: 0,
  min_p: 0,
  repetition_penalty: 1,
  max_tokens: 112,
  seed: 0,
};

/** Where a model's makers recommend nothing. */
const generalSettings: SamplingSettings = { ...toySettings, temperature: 0.7, top_p: 0.95, max_tokens: 2048 };

/** As DeepSeek recommends for R1 and what is distilled from it; thoughts need room. */
const R1: Partial<SamplingSettings> = { temperature: 0.6, top_p: 0.95, max_tokens: 8192 };

/** What of a model its settings depend on. */
export interface SamplingHints {
  label: string;
  toy: boolean;
  /** What its makers recommend; known once it was opened. */
  sampling?: Partial<Record<keyof SamplingSettings, number | undefined>>;
}

/** Whether it is one of DeepSeek's R1 family, which is best asked without a system prompt. */
export const isR1 = ({ label, toy }: SamplingHints): boolean =>
  !toy && /\bdeepseek[-_ ]?r1\b|\br1[-_ ]distill/i.test(label);

export function recommendedSettings(model: SamplingHints): SamplingSettings {
  if (model.toy) return toySettings;
  const given = Object.entries(model.sampling ?? {}).filter(([name, value]) => {
    const field = settingFields.find((each) => each.name === name);
    return field && settingProblem(field, value) === null;
  });
  return { ...generalSettings, ...(isR1(model) ? R1 : {}), ...Object.fromEntries(given) };
}

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

const KEY = 'tinythink:chat-settings';

/** What the reader changed, by model; empty where nothing is kept or storage is blocked. */
export function loadChanges(storage: Pick<Storage, 'getItem'> | undefined): Record<string, Partial<SamplingSettings>> {
  const changes: Record<string, Partial<SamplingSettings>> = {};
  try {
    const stored: unknown = JSON.parse(storage?.getItem(KEY) ?? '{}');
    for (const [model, values] of Object.entries(stored as Record<string, Record<string, number>>)) {
      const kept = settingFields.filter(({ name }) => name in values);
      changes[model] = Object.fromEntries(
        kept
          .filter((field) => settingProblem(field, values[field.name]) === null)
          .map(({ name }) => [name, values[name]]),
      );
    }
  } catch {
    // Blocked, or written by something else: the recommended ones then.
  }
  return changes;
}

export function saveChanges(
  storage: Pick<Storage, 'setItem'> | undefined,
  changes: Record<string, Partial<SamplingSettings>>,
): void {
  try {
    storage?.setItem(KEY, JSON.stringify(changes));
  } catch {
    // Blocked or full: the changes hold until the page is closed.
  }
}
