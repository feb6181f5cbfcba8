import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PendingRemoval } from '../../../src/ui/parts/pending-removal.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const make = () => {
  const removed: string[] = [];
  return { removed, pending: new PendingRemoval(async (id) => void removed.push(id)) };
};

test('a removal takes effect after the grace period, not before', async () => {
  const { removed, pending } = make();
  await pending.start({ id: 'a', name: 'A' });
  await vi.advanceTimersByTimeAsync(9_000);
  expect(removed).toEqual([]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(removed).toEqual(['a']);
  expect(pending.current).toBeNull();
});

test('a removal that is undone removes nothing', async () => {
  const { removed, pending } = make();
  await pending.start({ id: 'a', name: 'A' });
  pending.undo();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(removed).toEqual([]);
});

test('a second removal completes the first, and can itself be undone', async () => {
  const { removed, pending } = make();
  await pending.start({ id: 'a', name: 'A' });
  await pending.start({ id: 'b', name: 'B' });
  expect(removed).toEqual(['a']);
  expect(pending.current).toEqual({ id: 'b', name: 'B' });
  pending.undo();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(removed).toEqual(['a']);
});
