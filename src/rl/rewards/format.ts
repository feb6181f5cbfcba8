/** @file Format: 1 for `<think>…</think><answer>…</answer>` and nothing else, ended by the model itself, else 0. */
import { t } from '../../i18n';
import type { Reward } from './reward';

export const format: Reward = {
  name: 'format',
  label: t('config:rewards.format.label'),
  short: t('config:rewards.format.short'),
  help: t('config:rewards.format.help'),
  defaultWeight: 0.2,
  usualWeights: [0, 2],
  score: ({ parsed }) => Number(parsed.formatted),
};
