import { describe, expect, test } from 'vitest';
import {
  describeToken,
  percent,
  shade,
  visibleToken,
} from '../../../../../../src/ui/pages/chat/conversation/tokens/token-view';

describe('token view', () => {
  test('writes probabilities and tokens', () => {
    expect([0, Math.log(0.834), Math.log(0.05), Math.log(0.004), -20].map(percent)).toEqual([
      '100%',
      '83%',
      '5.0%',
      '0.40%',
      '< 0.01%',
    ]);
    expect(visibleToken(' a\n\u202e\u0001')).toBe('␣a⏎⟨U+202E⟩U+0001');
    expect(shade(0)).toBe(0);
    expect(shade(-30)).toBe(1);
    expect(shade(null)).toBeNull();
    const top = [
      { text: 'a', logprob: Math.log(0.5) },
      { text: 'b', logprob: Math.log(0.25) },
    ];
    expect(describeToken({ text: 'a', logprob: Math.log(0.5), top })).toBe('a 50%. Alternatives: b 25%');
  });
});
