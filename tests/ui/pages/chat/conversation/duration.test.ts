import { expect, test } from 'vitest';
import { formatDuration } from '../../../../../src/ui/pages/chat/conversation/duration';

test.each([
  [300, '0.3 s'],
  [9940, '9.9 s'],
  [12_300, '12 s'],
  [72_000, '1 min 12 s'],
  [119_900, '2 min 0 s'],
])('%d ms is %s', (ms, text) => expect(formatDuration(ms)).toBe(text));
