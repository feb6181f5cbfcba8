/** @file Long texts in tables. */
import { spellControls } from '../markdown/controls';

/** The beginning of a text, with control characters spelt out. */
export function shorten(text: string, maxLength = 160): string {
  return spellControls(text.length > maxLength ? `${text.slice(0, maxLength)}…` : text);
}
