/** @file Makes characters visible that reorder the text after them, with which code and links could mislead. */

const REORDERING = /[\u202a-\u202e\u2066-\u2069]/g;

/** Writes these characters out as their code: ⟨U+202E⟩. */
export const spellControls = (text: string): string =>
  text.replace(REORDERING, (each) => `⟨U+${each.charCodeAt(0).toString(16).toUpperCase()}⟩`);
