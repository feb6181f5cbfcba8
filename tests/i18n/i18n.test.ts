/** @file Messages: values, plurals and numbers. */
import { expect, test } from 'vitest';
import { t } from '../../src/i18n';

test('numbers are written in the language of the page, each by its own value', () => {
  expect(t('train:preparing.weights', { loaded: 1234, total: 56789 })).toBe('Loading weights, 1,234 of 56,789 MB');
});

test('the count chooses between singular and plural', () => {
  expect(t('train:run.finished', { count: 1 })).toBe('Finished after 1 step');
  expect(t('train:run.finished', { count: 2000 })).toBe('Finished after 2,000 steps');
});
