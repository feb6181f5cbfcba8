/** @file The small helpers that every floor uses: errors, sizes, pauses and JSON lines. */
import { describe, expect, it, vi } from 'vitest';
import { formatBytes, formatMegabytes } from '../../src/base/bytes';
import { abortError, isAbortError, messageOf, nameOf } from '../../src/base/errors';
import { readJsonLines, writeJsonLines } from '../../src/base/json-lines';
import { sleep } from '../../src/base/sleep';

describe('errors', () => {
  it('finds the message of anything that can be thrown', () => {
    expect(messageOf(new TypeError('wrong'))).toBe('wrong');
    expect(messageOf('text')).toBe('text');
    expect(messageOf(undefined)).toBe('undefined');
  });

  it('tells a cancelled operation from a failed one', () => {
    expect(isAbortError(abortError())).toBe(true);
    expect(isAbortError(AbortSignal.abort().reason)).toBe(true);
    expect(isAbortError(new Error('AbortError'))).toBe(false);
    expect(isAbortError(null)).toBe(false);
  });

  it('finds the name of an exception, and none where there is none', () => {
    expect(nameOf(new DOMException('full', 'QuotaExceededError'))).toBe('QuotaExceededError');
    expect(nameOf({ name: 7 })).toBeUndefined();
    expect(nameOf(undefined)).toBeUndefined();
  });
});

describe('sizes', () => {
  it('rounds megabytes up', () => {
    expect(formatMegabytes(1)).toBe('1 MB');
    expect(formatMegabytes(1_524_000_001)).toBe('1525 MB');
  });

  it('writes no size for what is none', () => {
    expect(formatBytes(-1)).toBe('–');
    expect(formatBytes(NaN)).toBe('–');
  });
});

describe('sleep', () => {
  it('resolves after its time', async () => {
    vi.useFakeTimers();
    const woken = vi.fn();
    void sleep(1000).then(woken);
    await vi.advanceTimersByTimeAsync(999);
    expect(woken).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(woken).toHaveBeenCalledOnce();
    vi.useRealTimers();
  });

  it('ends early with the reason of its signal', async () => {
    const abort = new AbortController();
    const sleeping = sleep(60_000, abort.signal);
    abort.abort();
    await expect(sleeping).rejects.toMatchObject({ name: 'AbortError' });
    await expect(sleep(60_000, AbortSignal.abort('enough'))).rejects.toBe('enough');
  });
});

describe('JSON lines', () => {
  it('reads what it writes', () => {
    const values = [{ a: 1 }, ['b'], null, 'c\nd'];
    expect([...readJsonLines(writeJsonLines(values))].map(({ value }) => value)).toEqual(values);
    expect(writeJsonLines([])).toBe('');
  });

  it('counts lines as an editor does, over empty ones, a byte order mark and Windows line ends', () => {
    const lines = [...readJsonLines('\ufeff1\r\n\r\n  \n{"cut": \n2')];
    expect(lines).toEqual([
      { number: 1, value: 1 },
      { number: 4, value: undefined },
      { number: 5, value: 2 },
    ]);
  });
});
