/** @file How the token view writes tokens and probabilities. */
import { t } from '../../../../../i18n';
import { spellControls } from '../../../../markdown/controls';
import type { TokenRecord } from '../../../../../storage/conversation';

/** The view shows at most this many tokens, the last ones: more would take the page long to lay out. */
export const MAX_TOKENS_SHOWN = 6000;

/** A token within the text. Line breaks are marked and kept. */
export const inText = (text: string): string => spellControls(text).replaceAll('\n', '⏎\n');

/** A token by itself, with white space made visible. */
export function visibleToken(text: string): string {
  if (text === '') return t('chat:tokenView.empty');
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

/** Strength of a token's shade, from 0 (certain) to 1, in steps of 0.1. Null if the probability is unknown. */
export function shade(logprob: number | null): number | null {
  if (logprob === null) return null;
  return Math.round(10 * (1 - Math.exp(logprob))) / 10;
}

/** A token with its alternatives as a text for screen readers. */
export function describeToken({ text, logprob, top }: TokenRecord): string {
  const chosen = logprob === null ? visibleToken(text) : `${visibleToken(text)} ${percent(logprob)}`;
  const others = (top ?? []).filter((each) => each.text !== text);
  if (others.length === 0) return chosen;
  const list = others.map((each) => `${visibleToken(each.text)} ${percent(each.logprob)}`).join(', ');
  return t('chat:tokenView.withAlternatives', { token: chosen, others: list });
}
