/**
 * @file Limits on rendering. A model can write anything, so every cost is bounded. Text beyond a limit is shown as plain
 * text.
 */

/** Characters of a top-level block that are parsed as Markdown. */
export const MAX_BLOCK = 16_000;
/** Characters of one code block that are shown. */
export const MAX_CODE = 60_000;
/** Characters of one code block that are highlighted. */
export const MAX_HIGHLIGHTED = 12_000;
/** Characters of an answer that are shown at all. */
export const MAX_SHOWN = 400_000;
/** Cells of one table. */
export const MAX_CELLS = 1_500;
/** Levels of nested lists and quotes. */
export const MAX_NESTING = 32;
/** Characters of one formula. */
export const MAX_FORMULA = 1_200;
/** Formulas in one block, and their characters in total. */
export const MAX_FORMULAS = 150;
export const MAX_FORMULA_TEXT = 5_000;
/** Depth of nested braces in one formula. Typesetting takes much longer with each level. */
export const MAX_BRACES = 40;
/** Macro expansions of one formula. Definitions are not allowed at all. */
export const MAX_EXPAND = 300;
/** Largest length that a formula may ask for, in em. */
export const MAX_EM = 15;
