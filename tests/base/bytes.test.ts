import { expect, test } from 'vitest';
import { formatBytes } from '../../src/base/bytes';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [9949, '9.9 kB'],
  [9950, '10 kB'],
  [999_499, '999 kB'],
  [999_600, '1.0 MB'],
  [3.2e12, '3.2 TB'],
  [5e15, '5000 TB'],
  [NaN, '–'],
])('%d bytes are written as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
