import { describe, expect, test } from 'vitest';
import { AnswerMeter, contextUsed, noStats, rate } from '../../../../../src/ui/pages/chat/conversation/stats';

describe('stats', () => {
  test('the speed is that of decoding, without the tokens that came with the first one', () => {
    const meter = new AnswerMeter();
    for (const ms of [500, 501, 600, 700]) meter.token(ms);
    expect(meter.stats).toMatchObject({ tokens: 4, first_ms: 500, decode_tokens: 2, decode_ms: 200, total_ms: 700 });
    expect(rate(meter.stats)).toBe(10);
  });
  test('a continuation adds to the figures', () => {
    const meter = new AnswerMeter({
      ...noStats,
      tokens: 3,
      first_ms: 100,
      decode_tokens: 2,
      decode_ms: 50,
      total_ms: 150,
    });
    for (const ms of [10, 60]) meter.token(ms);
    expect(meter.stats).toMatchObject({ tokens: 5, first_ms: 100, decode_tokens: 3, decode_ms: 100, total_ms: 210 });
  });
  test('a single delivery has the speed of the whole answer, and no tokens have none', () => {
    const meter = new AnswerMeter();
    for (const ms of [100, 100]) meter.token(ms);
    expect(rate(meter.stats)).toBe(20);
    expect(rate(noStats)).toBeNull();
  });
  test('the context counts prompt and answer, up to its length', () => {
    const context = { prompt: 90, cached: 0, length: 100, prefill_ms: 1 };
    expect(contextUsed({ ...noStats, tokens: 5, context })).toEqual({ used: 95, length: 100 });
    // The prompt of a continuation holds the answer so far.
    const meter = new AnswerMeter({ ...noStats, tokens: 20 });
    meter.context(context);
    meter.token(1);
    expect(contextUsed(meter.stats)).toEqual({ used: 91, length: 100 });
    expect(contextUsed({ ...noStats, tokens: 50, context })).toEqual({ used: 100, length: 100 });
    expect(contextUsed(noStats)).toBeNull();
  });
});
