/** @file Accuracy: 1 for a right answer, else 0. The small models must also keep the format for their answer to be read. */
import { t } from '../../i18n';
import type { Reward } from './reward';

export const accuracy: Reward = {
  name: 'accuracy',
  label: t('config:rewards.accuracy.label'),
  short: t('config:rewards.accuracy.short'),
  help: t('config:rewards.accuracy.help'),
  defaultWeight: 1,
  usualWeights: [0, 2],
  score: ({ correct }) => Number(correct),
};
