import { expect, test } from 'vitest';
import { formatWhen } from '../../../src/ui/parts/format-when';

test('a date is only as long as needed', () => {
  const now = new Date(2026, 5, 15, 18, 0).getTime();
  expect(formatWhen(new Date(2026, 5, 15, 9, 5).getTime(), now, 'en-GB')).toBe('09:05');
  expect(formatWhen(new Date(2026, 5, 14, 23, 0).getTime(), now, 'en-GB')).toBe('14 Jun');
  expect(formatWhen(new Date(2025, 5, 15, 9, 5).getTime(), now, 'en-GB')).toBe('15 Jun 2025');
  expect(formatWhen(NaN, now)).toBe('–');
});
