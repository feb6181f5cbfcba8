/** @file The sampling settings of the chat, and what is recommended for each model. */
import { R1_SAMPLING } from '../../../../formats/recommended-sampling';
import type { SamplingSettings } from '../../../../storage/conversation';
import { settingFields, settingProblem } from './fields';

/** What a model's recommended settings depend on. */
export interface SamplingHints {
  label: string;
  toy: boolean;
  /** What its makers recommend; known once it was opened. */
  sampling?: Partial<Record<keyof SamplingSettings, number | undefined>>;
}

/** The settings that the embedded model is trained with. */
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

/** What DeepSeek recommends for R1 and its distilled models, with enough tokens for long thoughts. */
const r1Settings: Partial<SamplingSettings> = { ...R1_SAMPLING, max_tokens: 8192 };

/** Whether a model is of DeepSeek's R1 family, which works best without a system prompt. */
export const isR1 = ({ label, toy }: SamplingHints): boolean =>
  !toy && /\bdeepseek[-_ ]?r1\b|\br1[-_ ]distill/i.test(label);

export function recommendedSettings(model: SamplingHints): SamplingSettings {
  if (model.toy) return toySettings;
  const given = Object.entries(model.sampling ?? {}).filter(([name, value]) => {
    const field = settingFields.find((each) => each.name === name);
    return field && settingProblem(field, value) === null;
  });
  return { ...generalSettings, ...(isR1(model) ? r1Settings : {}), ...Object.fromEntries(given) };
}
