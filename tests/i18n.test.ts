/** @file The catalogue of messages: keys are typed, values are filled in, plurals and numbers follow the language. */
import { expect, it } from 'vitest';
import { t } from '../src/i18n';

it('finds a text by its key', () => {
  expect(t('cancel')).toBe('Cancel');
});
