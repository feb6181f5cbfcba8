import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { formatBytes } from '../../../../src/base/bytes';
import { formatWhen } from '../../../../src/ui/pages/runs/format';
import { PendingRemoval } from '../../../../src/ui/pages/runs/pending-removal.svelte';

describe('format', () => {
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
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  test('a time says as much as is needed', () => {
    const now = new Date(2026, 5, 15, 18, 0).getTime();
    expect(formatWhen(new Date(2026, 5, 15, 9, 5).getTime(), now, 'en-GB')).toBe('09:05');
    expect(formatWhen(new Date(2026, 5, 14, 23, 0).getTime(), now, 'en-GB')).toBe('14 Jun');
    expect(formatWhen(new Date(2025, 5, 15, 9, 5).getTime(), now, 'en-GB')).toBe('15 Jun 2025');
    expect(formatWhen(NaN, now)).toBe('–');
  });
});

describe('PendingRemoval', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const make = () => {
    const removed: string[] = [];
    return { removed, pending: new PendingRemoval(async (id) => void removed.push(id)) };
  };

  test('removes after the grace period, not before', async () => {
    const { removed, pending } = make();
    await pending.start({ id: 'a', name: 'A' });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(removed).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(removed).toEqual(['a']);
    expect(pending.current).toBeNull();
  });

  test('undone, it stays', async () => {
    const { removed, pending } = make();
    await pending.start({ id: 'a', name: 'A' });
    pending.undo();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(removed).toEqual([]);
  });

  test('a second removal completes the first and can itself be undone', async () => {
    const { removed, pending } = make();
    await pending.start({ id: 'a', name: 'A' });
    await pending.start({ id: 'b', name: 'B' });
    expect(removed).toEqual(['a']);
    expect(pending.current).toEqual({ id: 'b', name: 'B' });
    pending.undo();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(removed).toEqual(['a']);
  });
});
