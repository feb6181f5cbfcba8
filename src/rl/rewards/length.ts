/**
 * @file Length, in [−1, 1]: the cosine reward of Yeo et al., arXiv 2502.03373. With t = length / max_completion_length, a
 * right completion slides from 1 (t = 0) to 0 (t = 1), a wrong one from −1 to 0, and a truncated one gets −1: be brief
 * when you know, think longer when you don't, and never run out of tokens. A negative weight reverses it.
 */
import { t } from '../../i18n';
import type { Reward } from './reward';

export const length: Reward = {
  name: 'length',
  label: t('config:rewards.length.label'),
  short: t('config:rewards.length.short'),
  help: t('config:rewards.length.help'),
  defaultWeight: 0,
  usualWeights: [-1, 1],
  score({ truncated, correct, length: tokens, max_completion_length }) {
    if (truncated) return -1;
    const remaining = (1 + Math.cos(Math.PI * Math.min(1, tokens / max_completion_length))) / 2;
    return correct ? remaining : -remaining;
  },
};
