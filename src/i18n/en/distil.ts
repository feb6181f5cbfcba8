/** @file English: distil. */
export const distil = {} as const;
