/** @file Characters that reorder what is read after them: code and links could seem to say what they don't. */

const REORDERING = /[\u202a-\u202e\u2066-\u2069]/g;

/** The text with those characters spelt out: ⟨U+202E⟩. */
export const spellControls = (text: string): string =>
  text.replace(REORDERING, (each) => `⟨U+${each.charCodeAt(0).toString(16).toUpperCase()}⟩`);
