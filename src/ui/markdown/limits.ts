/**
 * @file How much of an answer is rendered, and how. A model writes whatever it likes, so every cost here has a ceiling:
 * beyond it the text is still shown, but as plain text.
 */

/** Characters of a top-level block that are read as markdown. */
export const MAX_BLOCK = 16_000;
/** Characters of one code block that are shown. */
export const MAX_CODE = 60_000;
/** Characters of one code block that are coloured. */
export const MAX_HIGHLIGHTED = 12_000;
/** Characters of an answer that are shown at all. */
export const MAX_SHOWN = 400_000;
/** Cells of one table. */
export const MAX_CELLS = 1_500;
/** Levels of lists and quotes; what lies deeper is shown as plain text. */
export const MAX_NESTING = 32;
/** Characters of one formula. */
export const MAX_FORMULA = 1_200;
/** Formulas of one block, and their characters. */
export const MAX_FORMULAS = 150;
export const MAX_FORMULA_TEXT = 5_000;
/** Braces within braces in one formula: typesetting takes much longer with each. */
export const MAX_BRACES = 40;
/** Macro expansions of one formula; definitions are refused altogether. */
export const MAX_EXPAND = 300;
/** Largest length that a formula may ask for, in em. */
export const MAX_EM = 15;
