/** @file How the token view writes tokens and probabilities. */
import { spellControls } from '../../../markdown/controls';
import type { TokenRecord } from '../../../../storage/conversation';

/** Beyond this many tokens the page would take long to lay out; the view shows the last ones. */
export const MAX_TOKENS_SHOWN = 6000;

/** A token as it stands in the text: line breaks visible and kept. */
export const inText = (text: string): string => spellControls(text).replaceAll('\n', '⏎\n');

/** A token as it is named by itself: white space and nothing visible too. */
export function named(text: string): string {
  if (text === '') return '(nothing)';
  const visible = spellControls(text).replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '␣');
  // Some tokens are single control bytes.
  return visible.replace(/\p{Cc}/gu, (each) => `U+${each.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`);
}

/** "83%", "0.4%", "< 0.01%". */
export function percent(logprob: number): string {
  const share = 100 * Math.exp(logprob);
  if (share >= 99.95) return '100%';
  if (share < 0.01) return '< 0.01%';
  return `${share.toFixed(share < 1 ? 2 : share < 10 ? 1 : 0)}%`;
}

/** Strength of a token's shade, 0 (certain) to 1; in steps, so that most tokens look alike. Null: not known. */
export function shade(logprob: number | null): number | null {
  if (logprob === null) return null;
  return Math.round(10 * (1 - Math.exp(logprob))) / 10;
}

/** A token in words, for those who hear it. */
export function describe({ text, logprob, top }: TokenRecord): string {
  const chosen = logprob === null ? named(text) : `${named(text)} ${percent(logprob)}`;
  const others = (top ?? []).filter((each) => each.text !== text);
  if (others.length === 0) return chosen;
  return `${chosen}; else ${others.map((each) => `${named(each.text)} ${percent(each.logprob)}`).join(', ')}`;
}
